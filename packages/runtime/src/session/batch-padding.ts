import {
  elementCount,
  formatLane,
  inputBatchAxis,
  type LanePart,
  laneOf,
  type ModelSignature,
  parseLane,
  QuernError,
} from '@quern/contract';
import { type OutputCut, outputCuts } from './cut-back.ts';
import type { DecodedEntry } from './decoded-entry.ts';
import type { RawTensor } from './ort-tensors.ts';

/** What one batch is padded to. Without a lane nothing is padded. */
export class BatchPadding {
  /** Per input the extents without the batch axis. */
  readonly target: readonly LanePart[] | undefined;
  readonly #signature: ModelSignature;

  constructor(lane: string | undefined, signature: ModelSignature) {
    this.target = lane === undefined ? undefined : parseLane(lane);
    this.#signature = signature;
  }

  /**
   * Throws unless the entry can be padded to the lane: it may be shorter on padded axes alone.
   * @throws QuernError `INTERNAL`: whoever formed the batch put it in the wrong lane
   */
  assertFits(entry: DecodedEntry): void {
    const { target } = this;
    if (target === undefined) return;
    const axes = this.#signature.padding?.axes ?? [];
    const fits = entry.tensors.every(({ name, shape }, index) => {
      const rows = inputBatchAxis(this.#signature, index);
      const extents = target[index]?.extents ?? [];
      const own = [...shape.entries()].filter(([axis]) => axis !== rows);
      return (
        own.length === extents.length &&
        own.every(([axis, extent], i) => {
          const isPadded = axes.some((padded) => padded.input === name && padded.axis === axis);
          const wanted = extents[i] ?? -1;
          return extent === wanted || (isPadded && extent < wanted);
        })
      );
    });
    if (fits) return;
    throw new QuernError(
      'INTERNAL',
      `the entry is of lane ${laneOf(entry.tensors, this.#signature)}, which cannot be padded to ${formatLane(target)}`,
    );
  }

  /** What to cut off the outputs of an entry that was padded. */
  cutsOf({ tensors }: DecodedEntry): OutputCut[] {
    const { padding } = this.#signature;
    const { target } = this;
    if (target === undefined || padding === undefined) return [];
    const padded = tensors.map(({ name, shape }, index) => {
      const rows = inputBatchAxis(this.#signature, index);
      const extents = [...(target[index]?.extents ?? [])];
      if (rows !== null) extents.splice(rows, 0, shape[rows] ?? 0);
      return { name, shape: extents };
    });
    return outputCuts(padding, tensors, padded);
  }

  /** The share of the elements of a run's inputs that are padding. */
  ratio(entries: readonly DecodedEntry[], inputs: readonly RawTensor[]): number {
    if (this.target === undefined || inputs.length === 0) return 0;
    let all = 0;
    let own = 0;
    for (const [index, { shape }] of inputs.entries()) {
      // What a whole batch shares runs once and is not padded.
      const isShared = inputBatchAxis(this.#signature, index) === null && entries.length > 1;
      if (isShared) continue;
      all += elementCount(shape);
      for (const { tensors } of entries) own += elementCount(tensors[index]?.shape ?? [0]);
    }
    return all === 0 ? 0 : 1 - own / all;
  }
}
