import {
  formatLane,
  inputBatchAxis,
  type ModelSignature,
  type PaddedAxis,
  parseLane,
} from '@quern/contract';
import type { QueuedPrediction } from '@quern/queue';
import { LearntBuckets } from './learnt-buckets.ts';

/** Lanes that are remembered; when there are more, they are forgotten at once. */
const REMEMBERED_LANES = 4096;

/** A padded axis as a place in a lane. */
interface LaneAxis {
  readonly part: number;
  readonly position: number;
  /** Missing for an axis that is like another one. */
  readonly bucketOf?: (length: number) => number;
  readonly learnt?: LearntBuckets;
  /** The axis that this one is like. */
  readonly like?: { readonly part: number; readonly position: number };
}

/**
 * Turns the lane of exact shapes that a job carries into the lane of the shapes it is padded to, in
 * which it meets others of near lengths. A model that pads nothing keeps its lanes.
 */
export class LaneBuckets {
  readonly #axes: readonly LaneAxis[];
  readonly #learning: readonly (LaneAxis & { readonly learnt: LearntBuckets })[];
  readonly #remembered = new Map<string, string>();
  #plans = 0;

  /** @param learnt what `learnt` of an earlier one was, for the same model */
  constructor(signature: ModelSignature, learnt: readonly (readonly number[])[] = []) {
    const axes = signature.padding?.axes ?? [];
    const known = learnt.values();
    this.#axes = axes.map((axis) => laneAxis(axis, signature, known));
    this.#learning = this.#axes.flatMap((axis) =>
      axis.learnt === undefined ? [] : { ...axis, learnt: axis.learnt },
    );
  }

  /** Whether lanes differ from exact shapes, so that a runner must be told what to pad to. */
  get pads(): boolean {
    return this.#axes.length > 0;
  }

  /** The buckets that each learnt axis has now; empty for a model that learns none. */
  get learnt(): readonly (readonly number[])[] {
    return this.#learning.map(({ learnt }) => learnt.buckets);
  }

  /** A prediction that has arrived, in the lane that it goes to. */
  assign(prediction: QueuedPrediction): QueuedPrediction {
    if (!this.pads) return prediction;
    const { data } = prediction;
    return { ...prediction, data: { ...data, lane: this.laneFor(data.lane) } };
  }

  /** Takes note of an arrival and names the lane it goes to. */
  laneFor(exactLane: string): string {
    if (!this.pads) return exactLane;
    if (this.#learning.length > 0) this.#observe(exactLane);
    return this.#remember(exactLane);
  }

  #observe(exactLane: string): void {
    const parts = parseLane(exactLane);
    let plans = 0;
    for (const { learnt, part, position } of this.#learning) {
      learnt.observe(parts[part]?.extents[position] ?? 0);
      plans += learnt.plans;
    }
    if (plans !== this.#plans) this.#remembered.clear();
    this.#plans = plans;
  }

  #remember(exactLane: string): string {
    const known = this.#remembered.get(exactLane);
    if (known !== undefined) return known;
    const lane = this.#padded(exactLane);
    if (this.#remembered.size >= REMEMBERED_LANES) this.#remembered.clear();
    this.#remembered.set(exactLane, lane);
    return lane;
  }

  #padded(exactLane: string): string {
    const parts = parseLane(exactLane).map((part) => ({ ...part, extents: [...part.extents] }));
    // Those with buckets first: the others take over what became of them.
    for (const { part, position, bucketOf } of this.#axes) {
      const extents = parts[part]?.extents;
      const length = extents?.[position];
      if (extents === undefined || length === undefined || bucketOf === undefined) continue;
      extents[position] = bucketOf(length);
    }
    for (const { part, position, like } of this.#axes) {
      const extents = parts[part]?.extents;
      const length = like && parts[like.part]?.extents[like.position];
      if (extents?.[position] !== undefined && length !== undefined) extents[position] = length;
    }
    return formatLane(parts);
  }
}

function laneAxis(
  padded: PaddedAxis,
  signature: ModelSignature,
  known: Iterator<readonly number[]>,
): LaneAxis {
  const place = placeOf(padded.input, padded.axis, signature);
  const { buckets, max, like } = padded;
  if (like !== undefined) return { ...place, like: placeOf(like.input, like.axis, signature) };
  if (buckets === 'auto') {
    const learnt = new LearntBuckets(
      max === undefined ? {} : { maxLength: max },
      known.next().value ?? [],
    );
    return { ...place, learnt, bucketOf: (length) => learnt.bucketOf(length) };
  }
  // What is longer than the largest bucket runs as it is.
  return {
    ...place,
    bucketOf: (length) => buckets?.find((bucket) => bucket >= length) ?? length,
  };
}

/** Where an axis of an input stands in a lane, which leaves out the batch axis. */
function placeOf(input: string, axis: number, signature: ModelSignature) {
  const part = signature.inputs.findIndex(({ name }) => name === input);
  const rows = inputBatchAxis(signature, part);
  return { part, position: rows !== null && axis > rows ? axis - 1 : axis };
}
