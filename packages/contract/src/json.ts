import { isInteger, isSafeNumber, parse, stringify } from 'lossless-json';
import { QuernError } from './errors.ts';

/**
 * A run of 16 or more digits may be an integer that a double cannot hold. Only such texts take the
 * slow parser, which keeps them as bigint; a false alarm (digits in a string) costs time, not truth.
 */
const MAY_HOLD_LARGE_INTEGER = /\d{16}/;

function numberOrBigint(text: string): number | bigint {
  return isInteger(text) && !isSafeNumber(text) ? BigInt(text) : Number(text);
}

/**
 * Parses JSON; integers beyond 2^53 come back as exact bigints.
 * @throws QuernError `INVALID_JSON` with the parser's position.
 */
export function parseJson(text: string): unknown {
  try {
    if (!MAY_HOLD_LARGE_INTEGER.test(text)) return JSON.parse(text);
    // The slow parser assigns keys, so this one would replace a prototype.
    if (text.includes('__proto__')) throw new Error('the key "__proto__" is not allowed');
    return parse(text, undefined, numberOrBigint);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new QuernError('INVALID_JSON', `The body is not valid JSON: ${reason}`, { cause: error });
  }
}

/** Writes JSON; bigints anywhere in the value become exact integer literals. */
export function stringifyJson(value: unknown, holdsBigints: boolean): string {
  const text = holdsBigints ? stringify(value) : JSON.stringify(value);
  return text ?? 'null';
}
