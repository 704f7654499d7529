/** Rows that lie together. */
export interface RowSpan {
  readonly first: number;
  readonly count: number;
}

/** Rows for people: `row 17`, `rows 32 to 63`. Counted from 0, as in the input. */
export function describeSpan({ first, count }: RowSpan): string {
  return count === 1 ? `row ${first}` : `rows ${first} to ${first + count - 1}`;
}

export function halves({ first, count }: RowSpan): [RowSpan, RowSpan] {
  const half = Math.ceil(count / 2);
  return [
    { first, count: half },
    { first: first + half, count: count - half },
  ];
}

/**
 * The rows of a prediction that are still to be run. Fresh ones are cut off from the front as they are
 * wanted, so that parts can follow what is known of the best size by then. A *suspect* span is one of
 * the halves of a span that failed: it runs as it is, and alone, and as long as there are suspects
 * nothing fresh is run, since it would most likely be for nothing.
 */
export class RowsToRun {
  #fresh: RowSpan[];
  readonly #suspects: RowSpan[] = [];
  #suspectsRunning = 0;

  constructor(rows: number) {
    this.#fresh = [{ first: 0, count: rows }];
  }

  get hasNext(): boolean {
    if (this.#suspects.length > 0) return true;
    return this.#suspectsRunning === 0 && this.#fresh.length > 0;
  }

  /** The next rows to run: the suspects first; undefined if there are none now. */
  take(maxRows: number): { span: RowSpan; suspect: boolean } | undefined {
    const span = this.#suspects.shift();
    if (span !== undefined) {
      this.#suspectsRunning += 1;
      return { span, suspect: true };
    }
    const [front, ...rest] = this.#fresh;
    if (front === undefined || !this.hasNext) return undefined;
    const count = Math.min(maxRows, front.count);
    const left = { first: front.first + count, count: front.count - count };
    this.#fresh = left.count === 0 ? rest : [left, ...rest];
    return { span: { first: front.first, count }, suspect: false };
  }

  /** A suspect that was taken has ended. */
  cleared(): void {
    this.#suspectsRunning -= 1;
  }

  /** Rows that were too many at a time: they run again, in parts that are smaller by then. */
  runSmaller(span: RowSpan): void {
    this.#fresh = [...halves(span), ...this.#fresh];
  }

  /** Some of these rows make the model fail. */
  suspect(span: RowSpan): void {
    this.#suspects.unshift(...halves(span));
  }
}
