import type { RunTimeCell } from './run-time-cell.ts';

/** Two runs, one after the other, of sizes whose times are known: off by more than this, they disagree. */
const DISAGREEMENT = 1.4;

/** A size that disagrees so often in a row with whatever ran just before it has the wrong time. */
const DISAGREEMENTS_TO_CORRECT = 6;

/**
 * Tells a wrong shape from a machine that changes its speed. A change of speed comes between two runs
 * now and then; a size whose time is wrong (it was measured in a bad moment, or on another machine) is
 * off by the same factor each time that another size ran just before.
 */
export class ShapeCheck {
  #last: { readonly cell: RunTimeCell; readonly ratio: number } | undefined;
  /** For each size the factors by which it was last off in a row, all to one side. */
  readonly #factors = new WeakMap<RunTimeCell, number[]>();

  /**
   * Takes note of a run of a known size.
   * @param ratio its time by the time that was known for it
   * @returns the factor by which the size's time is wrong, once that is certain
   */
  observe(cell: RunTimeCell, ratio: number): number | undefined {
    const last = this.#last;
    this.#last = { cell, ratio };
    if (last === undefined || last.cell === cell) return undefined;
    const factor = ratio / last.ratio;
    const before = this.#factors.get(cell) ?? [];
    const isSameSide = before.every((other) => other > 1 === factor > 1);
    const isOff = factor > DISAGREEMENT || factor < 1 / DISAGREEMENT;
    const factors = isOff ? [...(isSameSide ? before : []), factor] : [];
    this.#factors.set(cell, factors);
    if (factors.length < DISAGREEMENTS_TO_CORRECT) return undefined;
    this.#factors.delete(cell);
    this.#last = undefined;
    return factors.toSorted((a, b) => a - b)[factors.length >> 1];
  }
}
