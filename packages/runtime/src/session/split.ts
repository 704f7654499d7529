import { encodeBytesElements, encodeTensors, QuernError, type Tensor } from '@quern/contract';
import { MessageTemplate } from './message-template.ts';
import type { RawTensor } from './ort-tensors.ts';

/** An entry's share of a run: how many rows, and which outputs it wants (all by default). */
export interface EntryShare {
  readonly rows: number;
  readonly outputs?: readonly string[] | undefined;
}

/**
 * Takes the outputs of a run apart by rows and encodes each entry's share with `encodeTensors`.
 * @param batchable if false, there is one entry and it gets the outputs whole
 * @throws QuernError `INFERENCE_FAILED` if an output has not one row per input row
 */
export function splitOutputs(
  outputs: readonly RawTensor[],
  entries: readonly EntryShare[],
  batchable: boolean,
): Uint8Array[] {
  const totalRows = entries.reduce((sum, entry) => sum + entry.rows, 0);
  if (batchable) for (const output of outputs) assertRows(output, totalRows);
  if (!batchable) return entries.map((entry) => encodeTensors(wanted(outputs, entry).map(takeAll)));
  let firstRow = 0;
  const shares = entries.map((entry) => {
    const range = { first: firstRow, count: entry.rows, of: totalRows };
    firstRow += entry.rows;
    return wanted(outputs, entry).map((output) => takeRows(output, range));
  });
  return encodeShares(shares);
}

function wanted(outputs: readonly RawTensor[], entry: EntryShare): RawTensor[] {
  return outputs.filter((output) => wantsOutput(entry, output.name));
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

/** Outputs of one run differ between entries in their rows, and in which of them are wanted. */
function isAlike(share: readonly Tensor[], first: readonly Tensor[]): boolean {
  return (
    share.length === first.length &&
    share.every(
      ({ name, shape }, index) =>
        name === first[index]?.name && shape[0] === first[index]?.shape[0],
    )
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

function assertRows(output: RawTensor, rows: number): void {
  if (output.shape[0] === rows) return;
  throw new QuernError(
    'INFERENCE_FAILED',
    `output ${output.name} has the shape [${output.shape.join(',')}] for ${rows} rows, expected ${rows} on axis 0; set batching.maxBatchSize: 1 in model.yaml or export the model with a dynamic first dimension`,
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

function takeAll(output: RawTensor): Tensor {
  const { name, datatype, shape } = output;
  const data = 'strings' in output ? encodeBytesElements(output.strings) : output.bytes;
  return { name, datatype, shape, data };
}
