import {
  type Datatype,
  type ElementArray,
  encodeBytesElements,
  invalidInput,
  show,
  splitBytesElements,
  type Tensor,
  viewBytes,
  viewElements,
} from '@quern/contract';
import type { HandlerTensor, MadeTensor } from './handler-module.ts';

/** A tensor as a handler reads it; a copy where the bytes are not aligned. */
export function toHandlerTensor({ datatype, shape, data }: Tensor): HandlerTensor {
  if (datatype === 'BYTES') return { shape, data: splitBytesElements(data) };
  return { shape, data: viewElements(elementsAs(datatype), data) };
}

/**
 * What a handler made, as a tensor.
 * @throws QuernError `INVALID_INPUT` if it is no tensor of the datatype
 */
export function fromHandlerTensor(name: string, datatype: Datatype, made: unknown): Tensor {
  const { shape, data } = (made ?? {}) as Partial<MadeTensor>;
  if (!Array.isArray(shape) || !shape.every((extent) => Number.isSafeInteger(extent))) {
    throw invalidInput(name, `got ${show(made)}, expected {shape: [...], data: ...}`);
  }
  return { name, datatype, shape, data: bytesOf(name, datatype, data) };
}

function bytesOf(name: string, datatype: Datatype, data: unknown): Uint8Array {
  if (datatype === 'BYTES') {
    const isText = (element: unknown) =>
      typeof element === 'string' || element instanceof Uint8Array;
    if (Array.isArray(data) && data.every(isText)) return encodeBytesElements(data);
    throw invalidInput(`${name}.data`, 'expected an array of strings or Uint8Arrays');
  }
  const expected = viewElements(elementsAs(datatype), new Uint8Array()).constructor;
  if (ArrayBuffer.isView(data) && data.constructor === expected)
    return viewBytes(data as ElementArray);
  const got = typeof data === 'object' && data !== null ? data.constructor.name : typeof data;
  throw invalidInput(`${name}.data`, `got ${got}, expected ${expected.name} for ${datatype}`);
}

/** JavaScript on Node 20 has no array of half floats: handlers see their bits. */
function elementsAs(datatype: Exclude<Datatype, 'BYTES'>): Exclude<Datatype, 'BYTES'> {
  return datatype === 'FP16' ? 'UINT16' : datatype;
}
