const WINDOW_MS = 60_000;
const MAX_DEATHS = 5;
const FIRST_DELAY_MS = 100;
const GROWTH = 4;

/** How long to wait before a process that died is started again: longer each time within a minute. */
export class RestartPolicy {
  #deathsAtMs: number[] = [];

  /**
   * Counts a death.
   * @param nowMs on any clock that does not jump
   * @returns the pause in ms; undefined at the fifth death within a minute, when it is time to give up
   */
  noteDeath(nowMs: number): number | undefined {
    this.#deathsAtMs = [...this.#deathsAtMs.filter((atMs) => nowMs - atMs < WINDOW_MS), nowMs];
    const deaths = this.#deathsAtMs.length;
    return deaths >= MAX_DEATHS ? undefined : FIRST_DELAY_MS * GROWTH ** (deaths - 1);
  }
}
