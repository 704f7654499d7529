import { type Datatype, type TensorSpec, tensorFromJson, viewElements } from '../src/index.ts';
import { expectInvalidInput } from './quern-errors.ts';

/** A model input named `image`. */
export function spec(datatype: Datatype, shape: number[], allowNonFinite = false): TensorSpec {
  return { name: 'image', datatype, shape, allowNonFinite };
}

/** Reads a value as that input of a request. */
export function read(value: unknown, of: TensorSpec) {
  return tensorFromJson(value, of, 'input.image');
}

/** The elements that a value is read as. */
export function elements(value: unknown, of: TensorSpec) {
  if (of.datatype === 'BYTES') throw new Error('BYTES has no typed array');
  return [...viewElements(of.datatype, read(value, of).tensor.data)];
}

/** Asserts that a value is refused at a path, in these words. */
export function refuses(value: unknown, of: TensorSpec, path: string, problem: string) {
  expectInvalidInput(() => read(value, of), path, problem);
}
