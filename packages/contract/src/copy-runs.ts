/** A place inside a row-major array. */
export interface BlockPlace {
  /** Of the whole array. */
  readonly shape: readonly number[];
  /** Where along each axis the block begins. */
  readonly start: readonly number[];
}

/**
 * Walks a block of `extent` that lies in one row-major array and is to lie in another: `copy` is called
 * for each run of elements that is contiguous in both, so that padding, slicing and stacking along any
 * axis come down to copies of runs. Indices and counts are elements. A block that is contiguous as a
 * whole is one call.
 * @param extent of the block; it must lie within both arrays
 */
export function forEachRun(
  from: BlockPlace,
  to: BlockPlace,
  extent: readonly number[],
  copy: (fromIndex: number, toIndex: number, count: number) => void,
): void {
  if (extent.includes(0)) return;
  const fromStrides = strides(from.shape);
  const toStrides = strides(to.shape);
  // Axes that the block fills in both arrays are one run with the axis before them.
  let runAxis = extent.length - 1;
  while (runAxis > 0 && isWhole(runAxis)) runAxis -= 1;
  const count = extent.slice(Math.max(0, runAxis)).reduce((product, n) => product * n, 1);
  const index = new Array<number>(Math.max(0, runAxis)).fill(0);
  let fromIndex = offsetOf(from.start, fromStrides);
  let toIndex = offsetOf(to.start, toStrides);
  for (;;) {
    copy(fromIndex, toIndex, count);
    let axis = index.length - 1;
    for (; axis >= 0; axis--) {
      const at = (index[axis] ?? 0) + 1;
      fromIndex += fromStrides[axis] ?? 0;
      toIndex += toStrides[axis] ?? 0;
      if (at < (extent[axis] ?? 0)) {
        index[axis] = at;
        break;
      }
      fromIndex -= at * (fromStrides[axis] ?? 0);
      toIndex -= at * (toStrides[axis] ?? 0);
      index[axis] = 0;
    }
    if (axis < 0) return;
  }

  function isWhole(axis: number): boolean {
    return extent[axis] === from.shape[axis] && extent[axis] === to.shape[axis];
  }
}

function strides(shape: readonly number[]): number[] {
  const found = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    found[axis] = (found[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  }
  return found;
}

function offsetOf(start: readonly number[], steps: readonly number[]): number {
  return start.reduce((sum, at, axis) => sum + at * (steps[axis] ?? 0), 0);
}
