import type { Datatype, ElementByDatatype, TypedArray } from './datatypes.ts';
import { decodeFloat16 } from './float16.ts';
import type { Tensor } from './tensor.ts';

/** One value in plain arrays. */
export type Scalar = number | bigint | boolean | string | null;
/** Plain values: a scalar, or arrays of any depth. */
export type Nested = Scalar | readonly Nested[];

/** Named values, as models take and give them that have steps around them: records, labels with scores. */
export interface Fields {
  readonly [name: string]: PlainValue;
}
/** A value that JSON has words for. */
export type PlainValue = Nested | Fields | readonly Fields[];

/** Arrays of elements, as deep as the shape is long. */
export type NestedOf<E, S extends readonly unknown[]> = S extends readonly []
  ? E
  : S extends readonly [unknown, ...infer Rest]
    ? readonly NestedOf<E, Rest>[]
    : PlainValue;

/**
 * A tensor's elements in arrays as deep as its shape; FP16 as numbers, BOOL as booleans, 64-bit integers
 * as bigints.
 */
export function toNestedArrays<D extends Datatype, S extends readonly number[]>(
  tensor: Tensor<D, S>,
): NestedOf<ElementByDatatype[D], S> {
  const flat = plainElements(tensor as Tensor);
  return nest(flat, tensor.shape) as NestedOf<ElementByDatatype[D], S>;
}

function plainElements({ datatype, data }: Tensor): Nested[] {
  if (datatype === 'FP16') return Array.from(decodeFloat16(data as Uint16Array));
  const elements = Array.from<Scalar>(data as TypedArray);
  return datatype === 'BOOL' ? elements.map((byte) => byte !== 0) : elements;
}

function nest(flat: readonly Nested[], shape: readonly number[]): Nested {
  if (shape.length === 0) return flat[0] ?? null;
  let level = flat;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const extent = shape[axis] ?? 0;
    const count = shape.slice(0, axis).reduce((product, size) => product * size, 1);
    const inner = level;
    level = Array.from({ length: count }, (_, i) => inner.slice(i * extent, (i + 1) * extent));
  }
  return level;
}

/** The shape of plain arrays by their first elements; what is ragged the API refuses with its place. */
export function shapeOf(value: unknown): number[] {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  return shape;
}

/** The first value that is no array. */
export function firstLeaf(value: unknown): unknown {
  let level = value;
  while (Array.isArray(level)) level = level[0];
  return level;
}

const NON_FINITE = new Map<unknown, number>([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/**
 * Arrays in which "NaN", "Infinity" and "-Infinity" are numbers again. JSON has no such numbers, so the
 * API writes these words; where other texts stand beside them they are left as they are.
 */
export function withNonFinite(value: unknown): unknown {
  const words = { found: false, onlyThese: true };
  inspect(value, words);
  return words.found && words.onlyThese ? replaceWords(value) : value;
}

function inspect(value: unknown, words: { found: boolean; onlyThese: boolean }): void {
  if (Array.isArray(value)) {
    for (const item of value) inspect(item, words);
  } else if (typeof value === 'string') {
    if (NON_FINITE.has(value)) words.found = true;
    else words.onlyThese = false;
  }
}

function replaceWords(value: unknown): unknown {
  return Array.isArray(value) ? value.map(replaceWords) : (NON_FINITE.get(value) ?? value);
}
