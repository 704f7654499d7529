import { encodeBytesElements } from './bytes-elements.ts';
import { DATATYPE_TRAITS, type Datatype } from './datatypes.ts';
import { packNumbers, viewBytes } from './element-array.ts';
import { FLOAT16_OVERFLOW } from './float16.ts';
import type { TensorSpec } from './model-signature.ts';

/**
 * Takes JSON values row by row and turns them into a tensor's bytes. Nothing is rounded to another
 * integer, wrapped or guessed: a value that the datatype cannot hold stops the row.
 *
 * Rows, not single values, cross this interface, and every reader collects into one kind of array:
 * that keeps the inner loops free of polymorphic calls and stores, which cost ten times the check.
 */
export interface ElementReader {
  /** Reads a row whose first element has the index `offset`. Returns how many elements are good. */
  readonly readRow: (row: readonly unknown[], offset: number) => number;
  /** What should have stood in place of a value that stopped the row. */
  readonly expected: (value: unknown) => string;
  /** The binary form of all elements, once every row has been read. */
  readonly toBytes: () => Uint8Array;
}

/** A reader for `count` elements; the caller has made sure that the input holds as many. */
export function elementReader(spec: TensorSpec, count: number): ElementReader {
  const { datatype } = spec;
  if (datatype === 'BYTES') return stringReader();
  if (datatype === 'INT64' || datatype === 'UINT64') return bigintReader(datatype, count);
  const numbers = new Float64Array(count);
  const toBytes = () => packNumbers(datatype, numbers);
  const { kind } = DATATYPE_TRAITS[datatype];
  if (kind === 'float') {
    const expected = () => `a finite number within the range of ${datatype}`;
    return { readRow: floatRows(numbers, spec), expected, toBytes };
  }
  if (kind === 'boolean') {
    return { readRow: booleanRows(numbers), expected: () => 'true or false (BOOL)', toBytes };
  }
  return {
    readRow: integerRows(numbers, datatype),
    expected: () => expectedInteger(datatype),
    toBytes,
  };
}

/** What stands for the numbers that JSON does not have, in models that accept them. */
const NON_FINITE = new Map<unknown, number>([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  [null, Number.NaN],
]);

/**
 * The magnitude from which on a number rounds to infinity. It lies half a step beyond the largest
 * finite value, so that the value's shortest decimal form (3.4028235e38) is still taken.
 */
const OVERFLOW: Partial<Record<Datatype, number>> = {
  FP16: FLOAT16_OVERFLOW,
  FP32: 2 ** 128 - 2 ** 103,
};

function floatRows(numbers: Float64Array, spec: TensorSpec): ElementReader['readRow'] {
  const limit = OVERFLOW[spec.datatype] ?? Number.POSITIVE_INFINITY;
  return (row, offset) => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      const number = typeof value === 'bigint' ? Number(value) : value;
      if (typeof number === 'number' && Math.abs(number) < limit) {
        numbers[offset + i] = number;
        continue;
      }
      const special = spec.allowNonFinite === true ? NON_FINITE.get(value) : undefined;
      if (special === undefined) return i;
      numbers[offset + i] = special;
    }
    return row.length;
  };
}

function integerRows(numbers: Float64Array, datatype: Datatype): ElementReader['readRow'] {
  const min = Number(DATATYPE_TRAITS[datatype].min);
  const max = Number(DATATYPE_TRAITS[datatype].max);
  return (row, offset) => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      const number = typeof value === 'bigint' ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isInteger(number)) return i;
      if (number < min || number > max) return i;
      numbers[offset + i] = number;
    }
    return row.length;
  };
}

function booleanRows(numbers: Float64Array): ElementReader['readRow'] {
  return (row, offset) => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      if (typeof value !== 'boolean') return i;
      numbers[offset + i] = value ? 1 : 0;
    }
    return row.length;
  };
}

function bigintReader(datatype: 'INT64' | 'UINT64', count: number): ElementReader {
  const min = BigInt(DATATYPE_TRAITS[datatype].min);
  const max = BigInt(DATATYPE_TRAITS[datatype].max);
  const lowest = Number(min);
  // For UINT64 too: what is stored are the low 64 bits, and those are the same.
  const integers = new BigInt64Array(count);
  const readRow = (row: readonly unknown[], offset: number): number => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      if (typeof value === 'number') {
        if (!Number.isSafeInteger(value) || value < lowest) return i;
        integers[offset + i] = BigInt(value);
      } else {
        if (typeof value !== 'bigint' || value < min || value > max) return i;
        integers[offset + i] = value;
      }
    }
    return row.length;
  };
  const expected = (value: unknown): string => {
    // A double out there may have lost digits already: 2^53 + 1 reads as 2^53.
    const hint = Number.isInteger(value)
      ? '; beyond 2^53 as digits only, like 9007199254740993'
      : '';
    return `${expectedInteger(datatype)}${hint}`;
  };
  return { readRow, expected, toBytes: () => viewBytes(integers) };
}

/** A lone half of a surrogate pair has no UTF-8 form. */
const LONE_SURROGATE = /\p{Surrogate}/u;

function stringReader(): ElementReader {
  const strings: string[] = [];
  const readRow = (row: readonly unknown[]): number => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      if (typeof value !== 'string' || LONE_SURROGATE.test(value)) return i;
      strings.push(value);
    }
    return row.length;
  };
  const expected = (value: unknown): string =>
    typeof value === 'string' ? 'a string without lone surrogates (BYTES)' : 'a string (BYTES)';
  return { readRow, expected, toBytes: () => encodeBytesElements(strings) };
}

function expectedInteger(datatype: Datatype): string {
  const { min, max } = DATATYPE_TRAITS[datatype];
  return `an integer from ${min} to ${max} (${datatype})`;
}
