import {
  assertTensorFits,
  decodeTensors,
  formatShape,
  invalidInput,
  type ModelSignature,
  splitBytesElements,
  type Tensor,
  type TensorSpec,
} from '@quern/contract';
import { MessageTemplate } from './message-template.ts';
import type { RawTensor } from './ort-tensors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** One prediction's inputs, in the order of the signature, fit to be put beside others. */
export interface DecodedEntry {
  readonly rows: number;
  readonly tensors: readonly DecodedTensor[];
}

/** `strings` holds the elements of a BYTES tensor, whose `data` nobody reads any more. */
export interface DecodedTensor extends Tensor {
  readonly strings?: readonly string[];
}

/** Decodes and checks the entries of one batch, so that what is wrong with one fails it alone. */
export class EntryDecoder {
  readonly #signature: ModelSignature;
  #checked: { template: MessageTemplate; rows: number; order: readonly number[] } | undefined;

  constructor(signature: ModelSignature) {
    this.#signature = signature;
  }

  /**
   * @param message the inputs as `encodeTensors` writes them
   * @param rows the rows that the entry was counted with; axis 0 must agree if the model is batchable
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
      checkTensor(found[order[index] ?? -1], spec, this.#signature.batchable ? rows : undefined),
    );
    const template = MessageTemplate.of(message, found);
    if (template !== undefined) this.#checked = { template, rows, order };
    return { rows, tensors };
  }
}

function checkTensor(
  tensor: Tensor | undefined,
  spec: TensorSpec,
  rows: number | undefined,
): DecodedTensor {
  const path = `input.${spec.name}`;
  if (tensor === undefined) {
    throw invalidInput(path, `missing, expected a ${spec.datatype} tensor`);
  }
  if (tensor.datatype !== spec.datatype) {
    throw invalidInput(path, `got ${tensor.datatype}, expected ${spec.datatype}`);
  }
  assertTensorFits(tensor.shape, spec, path);
  if (rows !== undefined && tensor.shape[0] !== rows) {
    throw invalidInput(path, `got ${formatShape(tensor.shape)}, expected ${rows} rows`);
  }
  return spec.datatype === 'BYTES' ? { ...tensor, strings: readStrings(tensor, path) } : tensor;
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

/** Whether two entries differ only in their rows. */
export function sharesLane(a: DecodedEntry, b: DecodedEntry): boolean {
  return a.tensors.every((tensor, index) => {
    const other = b.tensors[index]?.shape ?? [];
    return (
      tensor.shape.length === other.length &&
      tensor.shape.every((extent, axis) => axis === 0 || extent === other[axis])
    );
  });
}

/**
 * Stacks the inputs of entries of one lane on axis 0. The elements are copied once, into buffers that
 * can be handed to the session thread; a single entry keeps its whole shape.
 */
export function collate(entries: readonly DecodedEntry[], signature: ModelSignature): RawTensor[] {
  return signature.inputs.map((spec, index) => {
    const parts = entries.flatMap((entry) => entry.tensors[index] ?? []);
    const head = { name: spec.name, datatype: spec.datatype, shape: stackedShape(parts) };
    if (spec.datatype === 'BYTES') {
      return { ...head, strings: parts.flatMap((part) => part.strings ?? []) };
    }
    return { ...head, bytes: concatenate(parts.map((part) => part.data)) };
  });
}

function stackedShape(parts: readonly Tensor[]): number[] {
  const [first] = parts;
  if (first === undefined || first.shape.length === 0) return [];
  const rows = parts.reduce((sum, part) => sum + (part.shape[0] ?? 0), 0);
  return [rows, ...first.shape.slice(1)];
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
