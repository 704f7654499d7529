import type { Random } from './random.ts';

export type LoadShape = 'poisson' | 'bursty' | 'day';

export const LOAD_SHAPES: readonly LoadShape[] = ['poisson', 'bursty', 'day'];

export interface LoadOptions {
  readonly shape: LoadShape;
  /** Mean arrivals per millisecond. */
  readonly perMs: number;
  readonly count: number;
  /** The mean length of a burst, and of the lull after it. */
  readonly burstMs: number;
}

/** Rates in and between bursts, as multiples of the mean. */
const BURST_RATE = 1.8;
const LULL_RATE = 0.2;

/** How far a day's rate swings around its mean, and how many days there are. */
const DAY_SWING = 0.6;
const DAYS = 2;

/** When each request arrives, ascending. Of all three shapes the mean rate is the same. */
export function arrivalTimes(options: LoadOptions, random: Random): number[] {
  const { shape, perMs, count } = options;
  if (shape === 'bursty') return burstyTimes(options, random);
  const dayMs = count / perMs / DAYS;
  const swing = shape === 'day' ? DAY_SWING : 0;
  const times: number[] = [];
  let atMs = 0;
  while (times.length < count) {
    // Thinning: candidates come at the highest rate there is, and are kept in proportion.
    atMs += random.exponential(1 / (perMs * (1 + swing)));
    const rate = 1 + swing * Math.sin((2 * Math.PI * atMs) / dayMs - Math.PI / 2);
    if (random.next() * (1 + swing) < rate) times.push(atMs);
  }
  return times;
}

function burstyTimes({ perMs, count, burstMs }: LoadOptions, random: Random): number[] {
  const times: number[] = [];
  let atMs = 0;
  let bursting = true;
  let phaseEndsAtMs = random.exponential(burstMs);
  while (times.length < count) {
    const rate = perMs * (bursting ? BURST_RATE : LULL_RATE);
    const nextMs = atMs + random.exponential(1 / rate);
    if (nextMs > phaseEndsAtMs) {
      // What is left of the gap is drawn anew at the other rate: the gaps have no memory.
      atMs = phaseEndsAtMs;
      bursting = !bursting;
      phaseEndsAtMs = atMs + random.exponential(burstMs);
    } else {
      atMs = nextMs;
      times.push(atMs);
    }
  }
  return times;
}
