import type { Priority } from '@quern/contract';

/** A prediction that runs in parts, as far as taking turns goes. */
export interface PartSource {
  readonly priority: Priority;
  /** Whether it has a part to run now. */
  readonly hasNext: boolean;
  /** Hands its next part to the batcher; resolves when that part has ended, however. Must not reject. */
  runNext(): Promise<void>;
}

/** Turns that a class gets for each one of the class with the largest number. */
const STRIDE: Readonly<Record<Priority, number>> = { high: 1, normal: 4, low: 16 };

interface Turn {
  readonly source: PartSource;
  /** How far it has come; the one that is furthest behind is next. */
  pass: number;
}

/**
 * Which large prediction may hand its next part to the batcher, and when. All of them together have a
 * few parts there, so few that whoever comes with one row waits for a few batches only, however many
 * rows are behind those parts; and no fewer than keep every instance busy.
 *
 * They take turns: a prediction of class `high` gets four for each one of `normal`, and that one four
 * for each of `low`, so every one comes on.
 */
export class PartTurns {
  readonly #places: () => number;
  readonly #turns = new Map<PartSource, Turn>();
  #running = 0;

  /** @param places how many parts may be with the batcher now; at least one */
  constructor(places: () => number) {
    this.#places = places;
  }

  /** Takes part in the turns from now on, until `remove`. */
  add(source: PartSource): void {
    // Beginning where the others are, it neither waits for them nor makes them wait.
    this.#turns.set(source, { source, pass: this.#next()?.pass ?? 0 });
    this.advance();
  }

  remove(source: PartSource): void {
    this.#turns.delete(source);
  }

  /** To be called when a source may have something to run again, or there are more places. */
  advance(): void {
    while (this.#running < this.#places()) {
      const turn = this.#next();
      if (turn === undefined) return;
      turn.pass += STRIDE[turn.source.priority];
      this.#running += 1;
      void turn.source.runNext().finally(() => {
        this.#running -= 1;
        this.advance();
      });
    }
  }

  #next(): Turn | undefined {
    let next: Turn | undefined;
    for (const turn of this.#turns.values()) {
      if (turn.source.hasNext && turn.pass < (next?.pass ?? Number.POSITIVE_INFINITY)) next = turn;
    }
    return next;
  }
}
