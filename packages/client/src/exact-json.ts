/**
 * JSON that keeps what `JSON` alone would lose: integers beyond 2^53 (as bigints) and the numbers that
 * JSON has not, which the API reads as "NaN", "Infinity" and "-Infinity".
 */

/** Integers of 16 or more digits may be ones that a double cannot hold; only texts with one are looked at. */
const LARGE_INTEGER = /(?:^|[\s:,[-])[1-9]\d{15,}(?=[\s,\]}]|$)/;
/** A string as a whole, so that what stands in it is passed over, or a number as a whole. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;
/** What is longer no 64-bit integer is: a double will do. */
const INTEGER = /^-?\d{1,19}$|^\d{20}$/;

/** No text of a caller's can hold this mark: it is random. */
const MARK = `bigint-${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}:`;
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, 'g');

/** Writes JSON: bigints as integer literals, NaN and infinities as strings. */
export function writeJson(value: unknown): string {
  if (!needsCare(value)) return JSON.stringify(value);
  const text = JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return MARK + item;
    return typeof item === 'number' && !Number.isFinite(item) ? String(item) : item;
  });
  return text.replace(MARKED, '$1');
}

/** Whether there is a number that `JSON.stringify` refuses or turns into null. */
function needsCare(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  if (typeof value === 'bigint') return true;
  if (Array.isArray(value)) return value.some(needsCare);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(needsCare);
}

/**
 * Reads JSON; integers that a double cannot hold come back as bigints.
 * @throws SyntaxError
 */
export function readJson(text: string): unknown {
  if (!LARGE_INTEGER.test(text)) return JSON.parse(text);
  const marked = text.replace(TOKEN, (token) =>
    INTEGER.test(token) && !Number.isSafeInteger(Number(token)) ? `"${MARK}${token}"` : token,
  );
  return JSON.parse(marked, (_key, item: unknown) =>
    typeof item === 'string' && item.startsWith(MARK) ? BigInt(item.slice(MARK.length)) : item,
  );
}
