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
 * Plain arrays with the numbers that JSON has no words for. The API writes "NaN", "Infinity" and
 * "-Infinity", which are left alone where other texts stand beside them; and a large float is written
 * like a large integer, which is told by the fractions beside it.
 */
export function asNumbers(value: unknown): unknown {
  const seen: Seen = { words: false, texts: false, fractions: false, bigints: false };
  inspect(value, seen);
  const { words, texts, fractions, bigints } = seen;
  const isChanged = !texts && (words || (bigints && fractions));
  return isChanged ? toNumbers(value) : value;
}

interface Seen {
  words: boolean;
  texts: boolean;
  fractions: boolean;
  bigints: boolean;
}

function inspect(value: unknown, seen: Seen): void {
  if (Array.isArray(value)) {
    for (const item of value) inspect(item, seen);
  } else if (typeof value === 'number') {
    if (!Number.isInteger(value)) seen.fractions = true;
  } else if (typeof value === 'bigint') {
    seen.bigints = true;
  } else if (typeof value === 'string') {
    if (NON_FINITE.has(value)) seen.words = true;
    else seen.texts = true;
  }
}

function toNumbers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toNumbers);
  return typeof value === 'bigint' ? Number(value) : (NON_FINITE.get(value) ?? value);
}
