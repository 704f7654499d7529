/** How long a simulated model takes for a batch. */
export interface ModelProfile {
  readonly name: string;
  readonly about: string;
  /** Without noise, in milliseconds. */
  readonly timeMs: (rows: number) => number;
}

/** The largest batch that a simulated model takes. */
export const MAX_BATCH_SIZE = 32;

export const PROFILES: readonly ModelProfile[] = [
  {
    name: 'pays',
    about: '8 + 0.25 n ms: an overhead that a batch shares',
    timeMs: (rows) => 8 + 0.25 * rows,
  },
  {
    name: 'flat',
    about: '5 n ms: as many rows/s at any size',
    timeMs: (rows) => 5 * rows,
  },
  {
    name: 'hurts',
    about: '5 n^1.2 ms: a row takes longer, the larger its batch',
    timeMs: (rows) => 5 * rows ** 1.2,
  },
];

/** The smallest size with the most rows/s: what somebody would find who measured every size. */
export function bestFixedSize({ timeMs }: ModelProfile): number {
  let best = 1;
  for (let size = 2; size <= MAX_BATCH_SIZE; size += 1) {
    if (size / timeMs(size) > (best / timeMs(best)) * 1.0001) best = size;
  }
  return best;
}
