/** How many of the last runs say how fast the machine is at present. */
const WINDOW_RUNS = 5;

/**
 * How much longer runs take now than they were known to: 1 as long as known, 2 twice as long. All
 * sizes share it. So a machine that is slow for seconds (another process, a lower clock rate) does
 * not make the sizes look bad that happened to run then, and a lasting change is followed at all
 * sizes after three runs of any. The median of the last five, so one slow run is no change.
 */
export class MachineSpeed {
  #ratios: number[] = [];
  #factor = 1;

  get factor(): number {
    return this.#factor;
  }

  /** `ratio` is the time of a run by the time that was known for it. */
  observe(ratio: number): void {
    this.#ratios.push(ratio);
    if (this.#ratios.length > WINDOW_RUNS) this.#ratios.shift();
    const sorted = this.#ratios.toSorted((a, b) => a - b);
    this.#factor = sorted[(sorted.length - 1) >> 1] ?? 1;
  }
}
