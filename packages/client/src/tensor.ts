import {
  type Datatype,
  datatypeOfArray,
  ELEMENT_ARRAYS,
  type ElementByDatatype,
  type ElementsByDatatype,
  isDatatype,
  isTypedArray,
  type NumericDatatype,
  type TypedArray,
} from './datatypes.ts';
import { invalidInput } from './errors.ts';
import { encodeFloat16 } from './float16.ts';

/** A tensor: row-major elements in a typed array (texts for BYTES), and its shape. */
export interface Tensor<
  D extends Datatype = Datatype,
  S extends readonly number[] = readonly number[],
> {
  readonly datatype: D;
  readonly shape: S;
  readonly data: ElementsByDatatype[D];
}

/** The datatype of a typed array or of an array of texts or booleans. */
export type DatatypeOf<A> = A extends readonly string[]
  ? 'BYTES'
  : A extends readonly boolean[]
    ? 'BOOL'
    : {
        [D in Exclude<Datatype, 'BOOL' | 'FP16' | 'BYTES'>]: A extends ElementsByDatatype[D]
          ? D
          : never;
      }[Exclude<Datatype, 'BOOL' | 'FP16' | 'BYTES'>];

/**
 * Puts a shape to elements, without copying a typed array.
 * @param shape row-major; the first dimension of most models counts rows
 * @param data a typed array, which says its datatype itself, or texts (BYTES), or booleans (BOOL)
 * @param datatype needed for plain numbers, for FP16 bits in a `Uint16Array` and for BOOL bytes
 * @throws QuernError `INVALID_INPUT` unless shape, datatype and data fit one another
 */
export function tensor<
  const S extends readonly number[],
  A extends TypedArray | readonly string[] | readonly boolean[],
>(shape: S, data: A): Tensor<DatatypeOf<A>, S>;
export function tensor<const S extends readonly number[], D extends Datatype>(
  shape: S,
  data: ElementsByDatatype[D] | readonly ElementByDatatype[D][],
  datatype: D,
): Tensor<D, S>;
export function tensor(
  shape: readonly number[],
  data: TypedArray | readonly unknown[],
  datatype: Datatype | undefined = datatypeOf(data),
): Tensor {
  if (datatype === undefined) {
    const hint = 'expected a typed array, texts or booleans, or the datatype as the third argument';
    throw invalidInput('data', `plain values do not say their datatype, ${hint}`);
  }
  if (!isDatatype(datatype)) throw invalidInput('datatype', `got ${JSON.stringify(datatype)}`);
  const made = { datatype, shape, data: toElements(data, datatype) } as Tensor;
  assertFits(made, 'data');
  return made;
}

function datatypeOf(data: TypedArray | readonly unknown[]): Datatype | undefined {
  if (ArrayBuffer.isView(data)) return datatypeOfArray(data);
  if (typeof data[0] === 'string') return 'BYTES';
  return typeof data[0] === 'boolean' ? 'BOOL' : undefined;
}

function toElements(
  data: TypedArray | readonly unknown[],
  datatype: Datatype,
): TypedArray | readonly string[] {
  if (!ArrayBuffer.isView(data)) {
    return datatype === 'BYTES' ? assertTexts(data) : numbersToElements(data, datatype);
  }
  const own = datatypeOfArray(data);
  if (own === datatype) return data;
  const isSameArray =
    datatype !== 'BYTES' &&
    own !== undefined &&
    ELEMENT_ARRAYS[datatype] === ELEMENT_ARRAYS[own] &&
    data.constructor === ELEMENT_ARRAYS[own];
  if (isSameArray) return data;
  throw invalidInput('data', `got ${data.constructor.name}, which does not hold ${datatype}`);
}

function assertTexts(values: readonly unknown[]): readonly string[] {
  const index = values.findIndex((value) => typeof value !== 'string');
  if (index !== -1) throw invalidInput(`data[${index}]`, 'expected a string (BYTES)');
  return values as readonly string[];
}

/** What stands for the numbers that JSON has not. */
const NON_FINITE: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

/** Plain values as elements; floats are rounded to the nearest, integers must be in range. */
export function numbersToElements(
  values: readonly unknown[],
  datatype: NumericDatatype,
): TypedArray {
  const refuse = (index: number): never => {
    throw invalidInput(`data[${index}]`, `got ${String(values[index])}, which is no ${datatype}`);
  };
  if (datatype === 'INT64' || datatype === 'UINT64') {
    const integers =
      datatype === 'INT64' ? new BigInt64Array(values.length) : new BigUint64Array(values.length);
    values.forEach((value, index) => {
      const isInteger = typeof value === 'bigint' || Number.isSafeInteger(value);
      const integer = isInteger ? BigInt(value as number | bigint) : refuse(index);
      integers[index] = integer;
      if (integers[index] !== integer) refuse(index);
    });
    return integers;
  }
  const numbers = values.map((value, index) => {
    if (typeof value === 'number') return value;
    // A large float, which is written like an integer.
    if (typeof value === 'bigint' && datatype.startsWith('FP')) return Number(value);
    if (typeof value === 'boolean' && datatype === 'BOOL') return value ? 1 : 0;
    const special = typeof value === 'string' ? NON_FINITE[value] : undefined;
    return special ?? refuse(index);
  });
  if (datatype === 'FP16') return encodeFloat16(numbers);
  if (datatype === 'FP64') return Float64Array.from(numbers);
  if (datatype === 'FP32') return Float32Array.from(numbers);
  const elements = new ELEMENT_ARRAYS[datatype](numbers.length);
  numbers.forEach((number, index) => {
    elements[index] = number;
    if (elements[index] !== number || (datatype === 'BOOL' && number > 1)) refuse(index);
  });
  return elements;
}

/** @throws QuernError `INVALID_INPUT` unless there are as many elements as the shape says */
export function assertFits({ shape, data }: Tensor, path: string): void {
  const isShape = shape.every((extent) => Number.isInteger(extent) && extent >= 0);
  if (!isShape)
    throw invalidInput(path, `got the shape [${shape.join(',')}], expected integers from 0`);
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (data.length !== count) {
    throw invalidInput(
      path,
      `got ${data.length} elements, expected ${count} for shape [${shape.join(',')}]`,
    );
  }
}

/** Whether a value is a tensor as `tensor` makes them, or has its form. */
export function isTensor(value: unknown): value is Tensor {
  if (typeof value !== 'object' || value === null) return false;
  if (!('datatype' in value && 'shape' in value && 'data' in value)) return false;
  if (!isDatatype(value.datatype) || !Array.isArray(value.shape)) return false;
  return value.datatype === 'BYTES' ? Array.isArray(value.data) : isTypedArray(value.data);
}
