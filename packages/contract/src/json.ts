import { isInteger, isSafeNumber, parse, stringify } from 'lossless-json';
import { QuernError } from './errors.ts';

/**
 * An integer of 16 or more digits may be one that a double cannot hold. Only texts with one take the
 * slow parser, which keeps it as a bigint. The many digits of a fraction do not count, nor those of a
 * number with an exponent, which is a double by its form. A false alarm (such digits between spaces in
 * a string) costs time, not truth.
 */
const LARGE_INTEGER = /(?:^|[\s:,[-])[1-9]\d{15,}(?=[\s,\]}]|$)/;

/** Digits and sign of the longest 64-bit integer. What is longer no tensor can hold: a double will do. */
const MAX_INTEGER_LENGTH = 20;

function numberOrBigint(text: string): number | bigint {
  const isExact = !isInteger(text) || isSafeNumber(text);
  return isExact || text.length > MAX_INTEGER_LENGTH ? Number(text) : BigInt(text);
}

/** As `JSON.parse` does, the last of repeated keys wins. */
function lastOfRepeatedKeys({ newValue }: { newValue: unknown }): unknown {
  return newValue;
}

/**
 * Parses JSON; 64-bit integers beyond 2^53 come back as exact bigints.
 * @throws QuernError `INVALID_JSON` with the parser's position.
 */
export function parseJson(text: string): unknown {
  try {
    if (!LARGE_INTEGER.test(text)) return JSON.parse(text);
    return parse(text, undefined, {
      parseNumber: numberOrBigint,
      onDuplicateKey: lastOfRepeatedKeys,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new QuernError('INVALID_JSON', `The body is not valid JSON: ${reason}`, { cause: error });
  }
}

/**
 * Writes JSON; bigints anywhere in the value become exact integer literals.
 * @param holdsBigints false takes the fast writer, which throws a TypeError at a bigint
 */
export function stringifyJson(value: unknown, holdsBigints: boolean): string {
  const text = holdsBigints ? stringify(value) : JSON.stringify(value);
  return text ?? 'null';
}
