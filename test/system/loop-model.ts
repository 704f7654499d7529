/**
 * The fixture `loop` multiplies a matrix as often as the largest `trips` in its batch says: a run of any
 * length, made to order.
 */
const TRIPS_PER_SECOND = 400_000;

/** One row that keeps a core busy for about this long; for longer where cores are shared. */
export function loopInput(seconds: number): { x: number[][]; trips: number[][] } {
  return { x: [Array(16).fill(0.5)], trips: [[Math.round(seconds * TRIPS_PER_SECOND)]] };
}
