/**
 * How many of the predictions that start belong to each class at least, while it waits: of 21 starts
 * 16 are of high, 4 of normal and 1 of low priority.
 */
export const PRIORITY_WEIGHTS = { high: 16, normal: 4, low: 1 } as const;

const TOTAL_WEIGHT = PRIORITY_WEIGHTS.high + PRIORITY_WEIGHTS.normal + PRIORITY_WEIGHTS.low;

/** What is owed beyond this is forgotten: it was not called for, or Redis was away. */
const MAX_PARTS = 128 * TOTAL_WEIGHT;

/** A number for each class that others can hold back. */
export interface ClassCounts {
  readonly normal: number;
  readonly low: number;
}

/**
 * What one consumer owes to the classes that strict priorities hold back. With each prediction that it
 * starts, of whatever class, each class gains its share of a start; what it has gained is paid by
 * lifting so many of its predictions to the front. Consumers need not know of each other: each pays for
 * its own starts, and so all of them together pay for all.
 */
export class PriorityShares {
  /** In parts of a start: `TOTAL_WEIGHT` of them make one. */
  #normalParts = 0;
  #lowParts = 0;

  /** To be called for each prediction that starts. */
  started(): void {
    this.#normalParts = Math.min(MAX_PARTS, this.#normalParts + PRIORITY_WEIGHTS.normal);
    this.#lowParts = Math.min(MAX_PARTS, this.#lowParts + PRIORITY_WEIGHTS.low);
  }

  /** Whether there is something to lift. */
  get isDue(): boolean {
    return this.#normalParts >= TOTAL_WEIGHT || this.#lowParts >= TOTAL_WEIGHT;
  }

  /** How many of each class are to be lifted, if so many wait. */
  get owed(): ClassCounts {
    return {
      normal: Math.floor(this.#normalParts / TOTAL_WEIGHT),
      low: Math.floor(this.#lowParts / TOTAL_WEIGHT),
    };
  }

  /** What was owed is settled, also where fewer waited: it is not called for. */
  settle({ normal, low }: ClassCounts): void {
    this.#normalParts -= normal * TOTAL_WEIGHT;
    this.#lowParts -= low * TOTAL_WEIGHT;
  }
}
