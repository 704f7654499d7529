/**
 * The places of the largest scores, best first; of equal ones the first counts as the better, and what is
 * not a number comes last.
 * @param count at most the number of scores
 */
export function bestPlaces(scores: Float64Array, count: number): number[] {
  // One pass with a short list of the best so far: classes are thousands, `count` a few.
  const best: number[] = [];
  for (let place = 0; place < scores.length; place++) {
    const worst = best[count - 1];
    if (worst !== undefined && !isBetter(scores[place], scores[worst])) continue;
    let at = Math.min(best.length, count - 1);
    while (at > 0 && isBetter(scores[place], scores[best[at - 1] ?? 0])) {
      best[at] = best[at - 1] ?? 0;
      at -= 1;
    }
    best[at] = place;
  }
  return best;
}

function isBetter(score = Number.NaN, other = Number.NaN): boolean {
  return score > other || (Number.isNaN(other) && !Number.isNaN(score));
}

/** The rows along the last axis of width `width`, as views. */
export function* rowsOf(numbers: Float64Array, width: number): Generator<Float64Array> {
  for (let start = 0; width > 0 && start < numbers.length; start += width) {
    yield numbers.subarray(start, start + width);
  }
}
