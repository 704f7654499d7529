/** A run as memory sees it. */
export interface RunCost {
  readonly rows: number;
  /** Of all inputs together, after padding. */
  readonly elementsPerRow: number;
}

/** At most one step up in this time; see `MemoryCap`. */
export const GROWTH_INTERVAL_MS = 60_000;
/** The longest that the time between two steps becomes. */
export const MAX_GROWTH_INTERVAL_MS = 32 * GROWTH_INTERVAL_MS;
/** Runs at the cap that must have gone through before a step up. */
export const GROWTH_SUCCESSES = 8;
/** A step is the cost that failed over this. */
const GROWTH_STEPS = 16;
/** Two suspicions count as a certainty if they come within this time. */
export const SUSPICION_MS = 600_000;

export interface MemoryCapOptions {
  /**
   * A limit that stands in any case, in elements.
   *
   * @default unlimited
   */
  readonly maxElements?: number | undefined;
  /** Told of each new value of `elements`. Must not throw. */
  readonly onChange?: (elements: number) => void;
}

/**
 * How much a batch may cost before the device runs out of memory. The cost is rows x elements of a row
 * after padding: memory grows with it, though only the model knows how. It goes
 *
 *     free --(out of memory)--> capped --(a run of the cost that failed goes through)--> free
 *
 * Each run that fails for memory sets the cap to half its cost, so a few failures find what fits. The
 * way back is slow: a sixteenth of the cost that failed for every minute, and only once eight runs at
 * the cap have gone through. When such a step is punished, the cap is halved again and the pause before
 * each step doubles, up to 32 minutes, until the cap is free.
 *
 * A run of one row cannot be made smaller: that it fails says nothing about the others, and caps nothing.
 */
export class MemoryCap {
  readonly #maxElements: number;
  readonly #onChange: MemoryCapOptions['onChange'];
  #capElements = Number.POSITIVE_INFINITY;
  /** The largest cost that failed since the cap was free. */
  #failedElements = 0;
  #changedAtMs = 0;
  #successes = 0;
  #intervalMs = GROWTH_INTERVAL_MS;
  #hasGrown = false;
  #suspicion: { readonly elements: number; readonly atMs: number } | undefined;

  constructor({ maxElements, onChange }: MemoryCapOptions = {}) {
    this.#maxElements = maxElements ?? Number.POSITIVE_INFINITY;
    this.#onChange = onChange;
  }

  /** The most that a batch may cost now; Infinity if nothing limits it. */
  get elements(): number {
    return Math.min(this.#capElements, this.#maxElements);
  }

  /** The rows that a batch may have; at least one. */
  rowsWithin(elementsPerRow: number): number {
    return Math.max(1, Math.floor(this.elements / Math.max(1, elementsPerRow)));
  }

  /** A run failed because there was too little memory. */
  outOfMemory(run: RunCost, nowMs: number): void {
    if (run.rows < 2) return;
    const elements = costOf(run);
    this.#set(Math.min(this.#capElements, elements / 2), nowMs);
    this.#failedElements = Math.max(this.#failedElements, elements);
    if (this.#hasGrown) {
      this.#intervalMs = Math.min(2 * this.#intervalMs, MAX_GROWTH_INTERVAL_MS);
    }
    this.#hasGrown = false;
  }

  /**
   * A run failed in a way that may have been the memory: the process was killed, as the system does
   * with one that takes too much. An operator does so too, so it takes a second such run, of at least
   * half the cost, within ten minutes.
   */
  suspectOutOfMemory(run: RunCost, nowMs: number): void {
    if (run.rows < 2) return;
    const elements = costOf(run);
    const before = this.#suspicion;
    this.#suspicion = { elements, atMs: nowMs };
    if (before === undefined || nowMs - before.atMs > SUSPICION_MS) return;
    if (elements >= before.elements / 2) this.outOfMemory(run, nowMs);
  }

  /** A run went through. */
  succeeded(run: RunCost, nowMs: number): void {
    const elements = costOf(run);
    const isAtCap = elements + run.elementsPerRow > this.#capElements;
    if (!isAtCap) return;
    this.#successes += 1;
    if (elements >= this.#failedElements) {
      this.#free(nowMs);
    } else if (
      this.#successes >= GROWTH_SUCCESSES &&
      nowMs - this.#changedAtMs >= this.#intervalMs
    ) {
      this.#grow(nowMs);
    }
  }

  #grow(nowMs: number): void {
    this.#hasGrown = true;
    const grown = this.#capElements + this.#failedElements / GROWTH_STEPS;
    if (grown >= this.#maxElements) this.#free(nowMs);
    else this.#set(Math.min(grown, this.#failedElements), nowMs);
  }

  #free(nowMs: number): void {
    this.#set(Number.POSITIVE_INFINITY, nowMs);
    this.#failedElements = 0;
    this.#intervalMs = GROWTH_INTERVAL_MS;
    this.#hasGrown = false;
  }

  #set(capElements: number, nowMs: number): void {
    const before = this.elements;
    this.#capElements = capElements;
    this.#changedAtMs = nowMs;
    this.#successes = 0;
    if (this.elements !== before) this.#onChange?.(this.elements);
  }
}

function costOf({ rows, elementsPerRow }: RunCost): number {
  return rows * Math.max(1, elementsPerRow);
}

/** What entries cost that run together: those of the widest rows set the width of all. */
export function runCost(
  entries: readonly { readonly rows: number; readonly elementsPerRow?: number | undefined }[],
): RunCost {
  let rows = 0;
  let elementsPerRow = 1;
  for (const entry of entries) {
    rows += entry.rows;
    elementsPerRow = Math.max(elementsPerRow, entry.elementsPerRow ?? 1);
  }
  return { rows, elementsPerRow };
}
