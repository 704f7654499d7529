import type { Datatype } from './datatypes.ts';
import { DATATYPE_TRAITS } from './datatypes.ts';
import type { TensorSpec } from './model-signature.ts';

/** A parser turns one JSON value into an element, or throws a `BadElement` that says what was expected. */
export type ElementParser = (value: unknown) => number | bigint;

/** Thrown by parsers without a path; whoever walks the array knows the index and adds it. */
export class BadElement extends Error {}

const NON_FINITE = new Map<unknown, number>([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  [null, Number.NaN],
]);

/** The parser for a numeric datatype; ranges are checked, nothing is rounded or wrapped silently. */
export function elementParser(spec: TensorSpec): ElementParser {
  const { kind } = DATATYPE_TRAITS[spec.datatype];
  if (kind === 'float') return floatParser(spec.datatype, spec.allowNonFinite === true);
  if (kind === 'bigint') return bigintParser(spec.datatype);
  if (kind === 'boolean') return parseBoolean;
  return integerParser(spec.datatype);
}

function floatParser(datatype: Datatype, allowNonFinite: boolean): ElementParser {
  const min = Number(DATATYPE_TRAITS[datatype].min);
  const max = Number(DATATYPE_TRAITS[datatype].max);
  return (value) => {
    if (typeof value === 'number' && value >= min && value <= max) return value;
    if (typeof value === 'bigint') return floatParser(datatype, false)(Number(value));
    if (allowNonFinite) {
      const special = NON_FINITE.get(value);
      if (special !== undefined) return special;
    }
    throw new BadElement(
      `got ${show(value)}, expected a finite number within the range of ${datatype}`,
    );
  };
}

function integerParser(datatype: Datatype): ElementParser {
  const min = Number(DATATYPE_TRAITS[datatype].min);
  const max = Number(DATATYPE_TRAITS[datatype].max);
  return (value) => {
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
      return value as number;
    }
    throw new BadElement(
      `got ${show(value)}, expected an integer from ${min} to ${max} (${datatype})`,
    );
  };
}

function bigintParser(datatype: Datatype): ElementParser {
  const min = BigInt(DATATYPE_TRAITS[datatype].min);
  const max = BigInt(DATATYPE_TRAITS[datatype].max);
  return (value) => {
    // Integers beyond 2^53 arrive as bigint; a double out there has lost digits already.
    if (typeof value === 'bigint' || Number.isSafeInteger(value)) {
      const integer = BigInt(value as bigint | number);
      if (integer >= min && integer <= max) return integer;
    }
    throw new BadElement(
      `got ${show(value)}, expected an integer from ${min} to ${max} (${datatype})`,
    );
  };
}

function parseBoolean(value: unknown): number {
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new BadElement(`got ${show(value)}, expected true or false (BOOL)`);
}

/** A value as an error message shows it: short, with its type where that is the mistake. */
export function show(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') {
    return `the string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)}`;
  }
  return String(value);
}
