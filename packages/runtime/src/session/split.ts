import {
  type BatchAxis,
  batchAxisOf,
  encodeBytesElements,
  encodeTensors,
  type ModelSignature,
  QuernError,
  type Tensor,
} from '@quern/contract';
import type { OutputCut } from './cut-back.ts';
import { MessageTemplate } from './message-template.ts';
import { type RawTensor, toTensor } from './ort-tensors.ts';
import { takeBlock } from './stack-blocks.ts';

/** An entry's share of a run: how many rows, and which outputs it wants (all by default). */
export interface EntryShare {
  readonly rows: number;
  readonly outputs?: readonly string[] | undefined;
  /** What to cut off because the entry was padded; nothing by default. */
  readonly cuts?: readonly OutputCut[];
}

/**
 * Takes the outputs of a run apart by rows, cuts off what padding added and encodes each entry's share
 * with `encodeTensors`.
 * @param signature as `splitShares`
 * @throws QuernError `INFERENCE_FAILED` as `splitShares`
 */
export function splitOutputs(
  outputs: readonly RawTensor[],
  entries: readonly EntryShare[],
  signature: SplitSignature,
): Uint8Array[] {
  return encodeShares(splitShares(outputs, entries, signature));
}

/**
 * Takes the outputs of a run apart by rows and cuts off what padding added.
 * @param signature if it is not batchable, there is one entry and it gets all rows
 * @throws QuernError `INFERENCE_FAILED` if an output has not one row per input row, or not the length
 *   that its padding should have given it
 */
export function splitShares(
  outputs: readonly RawTensor[],
  entries: readonly EntryShare[],
  signature: SplitSignature,
): Tensor[][] {
  const ran = outputs.map((output) => ({ output, axis: outputAxis(signature, output.name) }));
  const totalRows = entries.reduce((sum, entry) => sum + entry.rows, 0);
  for (const { output, axis } of ran) assertRows(output, axis, totalRows);
  let firstRow = 0;
  return entries.map((entry) => {
    const range = { first: firstRow, count: entry.rows, of: totalRows };
    firstRow += entry.rows;
    const { cuts = NO_CUTS } = entry;
    const share: Tensor[] = [];
    for (const { output, axis } of ran) {
      if (wantsOutput(entry, output.name)) share.push(takeShare(output, axis, range, cuts));
    }
    return share;
  });
}

const NO_CUTS: readonly OutputCut[] = [];

/** What of a signature says how outputs are taken apart. */
export type SplitSignature = Pick<ModelSignature, 'batchable' | 'outputs'>;

/** The axis of an output that counts rows; null where it is not taken apart. */
function outputAxis({ batchable, outputs }: SplitSignature, name: string): BatchAxis {
  if (!batchable) return null;
  return batchAxisOf(outputs.find((spec) => spec.name === name) ?? {});
}

/** Encodes shares one by one, or all after the pattern of the first where they are alike. */
function encodeShares(shares: readonly (readonly Tensor[])[]): Uint8Array[] {
  const [first] = shares;
  if (first === undefined) return [];
  const message = encodeTensors(first);
  const template = shares.every((share) => isAlike(share, first))
    ? MessageTemplate.of(message, first)
    : undefined;
  if (template === undefined) return shares.map((share) => encodeTensors(share));
  return template.encodeAll(shares.map((share) => share.map((tensor) => tensor.data)));
}

/** Outputs of one run differ between entries in rows, cut-off lengths, and in which are wanted. */
function isAlike(share: readonly Tensor[], first: readonly Tensor[]): boolean {
  return (
    share.length === first.length &&
    share.every(({ name, shape }, index) => {
      const other = first[index];
      if (other === undefined || name !== other.name) return false;
      // Plain loops here and above: this is done for every output of every prediction.
      for (let axis = 0; axis < shape.length; axis++) {
        if (shape[axis] !== other.shape[axis]) return false;
      }
      return true;
    })
  );
}

/** No names, or an empty list of them, ask for every output. */
export function wantsOutput(share: EntryShare, name: string): boolean {
  const { outputs = [] } = share;
  return outputs.length === 0 || outputs.includes(name);
}

interface RowRange {
  readonly first: number;
  readonly count: number;
  readonly of: number;
}

function assertRows(output: RawTensor, axis: BatchAxis, rows: number): void {
  if (axis === null || output.shape[axis] === rows) return;
  throw new QuernError(
    'INFERENCE_FAILED',
    `output ${output.name} has the shape [${output.shape.join(',')}] for ${rows} rows, expected ${rows} on axis ${axis}; set batching.maxBatchSize: 1 in model.yaml or export the model with a dynamic first dimension`,
  );
}

function takeShare(
  output: RawTensor,
  axis: BatchAxis,
  range: RowRange,
  allCuts: readonly OutputCut[],
): Tensor {
  if (allCuts.length === 0) {
    if (axis === 0) return takeRows(output, range);
    if (axis === null) return toTensor(output);
  }
  const cuts = allCuts.filter((cut) => cut.output === output.name);
  for (const cut of cuts) assertCut(output, cut);
  const start = output.shape.map((_, at) => (at === axis ? range.first : 0));
  const extent = output.shape.map((whole, at) => {
    if (at === axis) return range.count;
    return cuts.find((cut) => cut.axis === at)?.extent ?? whole;
  });
  return takeBlock(output, start, extent);
}

function assertCut({ name, shape }: RawTensor, { axis, paddedExtent }: OutputCut): void {
  if (shape[axis] === paddedExtent) return;
  throw new QuernError(
    'INFERENCE_FAILED',
    `output ${name} has the shape [${shape.join(',')}], expected ${paddedExtent} on axis ${axis} after padding; mend outputs.${name}.cutBack in model.yaml`,
  );
}

function takeRows(output: RawTensor, range: RowRange): Tensor {
  const { name, datatype } = output;
  const shape = [range.count, ...output.shape.slice(1)];
  const slice = (length: number) => {
    const perRow = length / range.of;
    return [range.first * perRow, (range.first + range.count) * perRow] as const;
  };
  if ('strings' in output) {
    const strings = output.strings.slice(...slice(output.strings.length));
    return { name, datatype, shape, data: encodeBytesElements(strings) };
  }
  const data = output.bytes.subarray(...slice(output.bytes.byteLength));
  return { name, datatype, shape, data };
}
