import { type Datatype, invalidInput, type QuernError, show } from '@quern/contract';
import { numberEncoder } from './number-encoder.ts';
import type { ColumnConfig } from './record-config.ts';

/** One key of the records on its way into the model. */
export interface Column {
  readonly name: string;
  /** The key in the record. */
  readonly from: string;
  /** How many elements of a row it becomes. */
  readonly width: number;
  /**
   * @param value undefined where the record has none
   * @param path the value's place, for messages
   * @returns texts if the datatype is BYTES, else numbers
   * @throws QuernError `INVALID_INPUT`
   */
  encode(value: unknown, path: string): Encoded;
}

type Encoded = readonly (number | string)[];

/** What turns a value that is there into elements. */
interface Encoder {
  readonly width: number;
  readonly expected: string;
  encode(value: unknown, path: string): Encoded;
}

type Problem = (key: string, message: string) => QuernError;

const FLOATS: readonly Datatype[] = ['FP16', 'FP32', 'FP64'];
/** So many of a column's categories are named in messages. */
const SHOWN_CATEGORIES = 12;

/**
 * A column with its settings checked against the datatype that it ends in.
 * @param problem an error at one of the column's settings
 * @throws QuernError `CONFIG_INVALID`
 */
export function makeColumn(config: ColumnConfig, datatype: Datatype, problem: Problem): Column {
  const { name, missing, default: standIn } = config;
  const encoder = makeEncoder(config, datatype, problem);
  if (missing === 'nan' && (standIn !== undefined || !FLOATS.includes(datatype))) {
    throw problem('missing', `nan goes with inputs of ${FLOATS.join(', ')} and without a default`);
  }
  if (standIn !== undefined) assertEncodes(encoder, standIn, problem);
  const absent = Array.from({ length: encoder.width }, () => Number.NaN);
  return {
    name,
    from: config.from ?? name,
    width: encoder.width,
    encode: (given, path) => {
      const value = given ?? standIn;
      if (value !== undefined) return encoder.encode(value, path);
      if (missing === 'nan') return absent;
      throw invalidInput(path, `is missing, expected ${encoder.expected}`);
    },
  };
}

function makeEncoder(config: ColumnConfig, datatype: Datatype, problem: Problem): Encoder {
  const type = config.type ?? usualType(config, datatype);
  if (type !== 'category') assertNoCategories(config, problem);
  if (type !== 'number' && (config.mean ?? config.std) !== undefined) {
    throw problem('', `mean and std go with a number, but the column is a ${type}`);
  }
  if (type === 'category') return categoryEncoder(config, datatype, problem);
  if ((type === 'text') !== (datatype === 'BYTES')) {
    throw problem('type', `a ${type} does not go into an input of ${datatype}`);
  }
  if (type === 'text') return textEncoder;
  if (type === 'boolean') return booleanEncoder;
  return numberEncoder(config, datatype, problem);
}

function usualType({ categories }: ColumnConfig, datatype: Datatype): ColumnConfig['type'] {
  if (categories !== undefined) return 'category';
  if (datatype === 'BYTES') return 'text';
  return datatype === 'BOOL' ? 'boolean' : 'number';
}

function assertNoCategories({ categories, encode }: ColumnConfig, problem: Problem): void {
  if (categories !== undefined) throw problem('categories', 'go with type: category');
  if (encode !== undefined) throw problem('encode', 'goes with categories');
}

function assertEncodes(encoder: Encoder, standIn: unknown, problem: Problem): void {
  try {
    encoder.encode(standIn, 'default');
  } catch {
    throw problem('default', `got ${show(standIn)}, expected ${encoder.expected}`);
  }
}

const textEncoder: Encoder = {
  width: 1,
  expected: 'a string',
  encode: (value, path) => {
    if (typeof value === 'string') return [value];
    throw invalidInput(path, `got ${show(value)}, expected a string`);
  },
};

const booleanEncoder: Encoder = {
  width: 1,
  expected: 'true or false',
  encode: (value, path) => {
    if (typeof value === 'boolean') return [Number(value)];
    throw invalidInput(path, `got ${show(value)}, expected true or false`);
  },
};

function categoryEncoder(config: ColumnConfig, datatype: Datatype, problem: Problem): Encoder {
  const { categories = [], unknown } = config;
  const encoding = config.encode ?? (datatype === 'BYTES' ? 'text' : 'index');
  if ((encoding === 'text') !== (datatype === 'BYTES')) {
    throw problem('encode', `${encoding} does not go into an input of ${datatype}`);
  }
  if (encoding === 'index' && unknown === 'ignore' && datatype.startsWith('UINT')) {
    throw problem(
      'unknown',
      `ignore is -1 for an index, which an input of ${datatype} cannot hold`,
    );
  }
  const places = new Map<unknown, number>(categories.map((category, index) => [category, index]));
  const shown = categories.slice(0, SHOWN_CATEGORIES).map((category) => JSON.stringify(category));
  const more = categories.length > shown.length ? `, ... (${categories.length})` : '';
  const expected = `one of ${shown.join(', ')}${more}`;
  const isScalar = (value: unknown) => typeof value !== 'object';
  return {
    width: encoding === 'oneHot' ? categories.length : 1,
    expected,
    encode: (value, path) => {
      const place = places.get(value) ?? -1;
      if (place === -1 && (unknown === 'error' || !isScalar(value))) {
        throw invalidInput(path, `got ${show(value)}, expected ${expected}`);
      }
      if (encoding === 'text') return [String(value)];
      if (encoding === 'index') return [place];
      return categories.map((_, index) => Number(index === place));
    },
  };
}
