import {
  assertTensorFits,
  type BatchAxis,
  batchAxisOf,
  decodeTensors,
  formatShape,
  inputBatchAxis,
  invalidInput,
  type LanePart,
  type ModelSignature,
  scalarBytes,
  splitBytesElements,
  type Tensor,
  type TensorSpec,
} from '@quern/contract';
import type { DecodedEntry, DecodedTensor } from './decoded-entry.ts';
import { MessageTemplate } from './message-template.ts';
import type { RawTensor } from './ort-tensors.ts';
import { stackBlocks } from './stack-blocks.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Decodes and checks the entries of one batch, so that what is wrong with one fails it alone. */
export class EntryDecoder {
  readonly #signature: ModelSignature;
  #checked: { template: MessageTemplate; rows: number; order: readonly number[] } | undefined;

  constructor(signature: ModelSignature) {
    this.#signature = signature;
  }

  /**
   * @param message the inputs as `encodeTensors` writes them
   * @param rows the rows that the entry was counted with; the batch axes must agree if the model is
   *   batchable
   * @throws QuernError `INVALID_INPUT`
   */
  decode(message: Uint8Array, rows: number): DecodedEntry {
    const checked = this.#checked;
    if (checked !== undefined && checked.rows === rows && checked.template.matches(message)) {
      const tensors = checked.template.decode(message);
      return { rows, tensors: checked.order.flatMap((index) => tensors[index] ?? []) };
    }
    const found = decodeTensors(message);
    const order = this.#signature.inputs.map((spec) =>
      found.findIndex((tensor) => tensor.name === spec.name),
    );
    const tensors = this.#signature.inputs.map((spec, index) =>
      fitInput(found[order[index] ?? -1], spec, this.#signature, rows),
    );
    const template = MessageTemplate.of(message, found);
    if (template !== undefined) this.#checked = { template, rows, order };
    return { rows, tensors };
  }
}

/**
 * A tensor as the input of an entry; texts for the session become strings.
 * @param rows what the batch axis must have if the model is batchable
 * @throws QuernError `INVALID_INPUT` if it does not fit the spec
 */
export function fitInput(
  tensor: Tensor | undefined,
  spec: TensorSpec,
  { batchable }: Pick<ModelSignature, 'batchable'>,
  rows: number,
): DecodedTensor {
  const path = `input.${spec.name}`;
  const axis = batchable ? batchAxisOf(spec) : null;
  if (tensor === undefined) {
    throw invalidInput(path, `missing, expected a ${spec.datatype} tensor`);
  }
  if (tensor.datatype !== spec.datatype) {
    throw invalidInput(path, `got ${tensor.datatype}, expected ${spec.datatype}`);
  }
  assertTensorFits(tensor.shape, spec, path);
  if (axis !== null && tensor.shape[axis] !== rows) {
    const where = axis === 0 ? '' : ` on axis ${axis}`;
    throw invalidInput(path, `got ${formatShape(tensor.shape)}, expected ${rows} rows${where}`);
  }
  const isText = spec.datatype === 'BYTES' && spec.field === undefined;
  return isText ? { ...tensor, strings: readStrings(tensor, path) } : tensor;
}

/** ONNX Runtime takes strings only, and cuts them off at a NUL without a word. */
function readStrings(tensor: Tensor, path: string): string[] {
  return splitBytesElements(tensor.data).map((element, index) => {
    if (element.includes(0)) {
      throw invalidInput(`${path}[${index}]`, 'holds a NUL byte, expected text without one');
    }
    try {
      return utf8.decode(element);
    } catch {
      throw invalidInput(`${path}[${index}]`, 'is not UTF-8; ONNX string tensors hold text only');
    }
  });
}

/**
 * Whether two entries may be stacked.
 * @param padded if true, only what a whole batch shares must be equal; else all but the rows
 */
export function sharesLane(
  a: DecodedEntry,
  b: DecodedEntry,
  signature: ModelSignature,
  padded = false,
): boolean {
  return a.tensors.every((tensor, index) => {
    const other = b.tensors[index];
    const rows = inputBatchAxis(signature, index);
    // Decoded after one template, the shapes are one object.
    if (rows !== null && tensor.shape === other?.shape) return true;
    if (other === undefined || tensor.shape.length !== other.shape.length) return false;
    // What a whole batch shares is run once, so it must be the same.
    if (rows === null) return hasSameElements(tensor, other);
    return padded || tensor.shape.every((n, axis) => axis === rows || n === other.shape[axis]);
  });
}

function hasSameElements(a: DecodedTensor, b: DecodedTensor): boolean {
  const isAlike = a.shape.every((extent, axis) => extent === b.shape[axis]);
  return isAlike && Buffer.compare(a.data, b.data) === 0;
}

/**
 * Stacks the inputs of entries of one lane on their batch axes. The elements are copied once, into
 * buffers that can be handed to the session thread; a single entry keeps its whole shape.
 * @param entries at least one
 * @param paddedTo per input the extents without the batch axis that every entry is padded to; they
 *   must not be smaller than an entry's own. Missing if nothing is padded
 */
export function collate(
  entries: readonly DecodedEntry[],
  signature: ModelSignature,
  paddedTo?: readonly LanePart[],
): RawTensor[] {
  return signature.inputs.map((spec, index) => {
    const parts = entries.flatMap((entry) => entry.tensors[index] ?? []);
    const axis = inputBatchAxis(signature, index);
    const stacked = axis === null ? parts.slice(0, 1) : parts;
    const extents = paddedTo?.[index]?.extents;
    const shape = stackedShape(stacked, axis, extents);
    const head = { name: spec.name, datatype: spec.datatype, shape };
    if (!liesInOrder(stacked, axis, shape)) {
      return stackBlocks(head, stacked, axis, fillValue(signature, index));
    }
    if (spec.datatype === 'BYTES') {
      return { ...head, strings: stacked.flatMap((part) => part.strings ?? []) };
    }
    return { ...head, bytes: concatenate(stacked.map((part) => part.data)) };
  });
}

function stackedShape(
  parts: readonly Tensor[],
  axis: BatchAxis,
  extents: readonly number[] | undefined,
): number[] {
  const shape = [...(parts[0]?.shape ?? [])];
  if (extents !== undefined) {
    let next = 0;
    for (const at of shape.keys()) if (at !== axis) shape[at] = extents[next++] ?? 0;
  }
  if (axis !== null) shape[axis] = parts.reduce((sum, part) => sum + (part.shape[axis] ?? 0), 0);
  return shape;
}

/** Whether the elements of the parts, one part after the other, are the elements of the whole. */
function liesInOrder(parts: readonly Tensor[], axis: BatchAxis, shape: readonly number[]): boolean {
  if (axis !== null && axis > 0 && parts.length > 1) return false;
  return parts.every((part) => part.shape.every((n, at) => at === axis || n === shape[at]));
}

/** What the elements that padding adds to an input are, in binary form. */
function fillValue({ inputs, padding }: ModelSignature, index: number): Uint8Array {
  const spec = inputs[index];
  const padded = padding?.axes.find(({ input }) => input === spec?.name);
  const datatype = spec?.datatype ?? 'UINT8';
  return scalarBytes(padded?.value ?? (datatype === 'BYTES' ? '' : 0), datatype, 'value');
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const total = parts.reduce((sum, part) => sum + part.byteLength, 0);
  // Not from Node's pool: the buffer changes threads. Not zeroed: every byte is written below.
  const { buffer } = Buffer.allocUnsafeSlow(total);
  const bytes = new Uint8Array(buffer as ArrayBuffer, 0, total);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}
