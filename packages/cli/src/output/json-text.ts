import { stringifyJson } from '@quern/contract';

const LINE_WIDTH = 100;
const INDENT = '  ';

/**
 * Writes JSON for people: objects over several lines, arrays on one where that is short or holds plain
 * values alone, as the innermost rows of a tensor do. Bigints are written as integers.
 */
export function jsonText(value: unknown, indent = ''): string {
  if (typeof value !== 'object' || value === null) return stringifyJson(value, true);
  const inner = indent + INDENT;
  if (Array.isArray(value)) {
    const isRow = value.every((item) => typeof item !== 'object' || item === null);
    if (isRow) return oneLine(value);
    const line = value.some(holdsObject) ? undefined : oneLine(value);
    if (line !== undefined && indent.length + line.length <= LINE_WIDTH) return line;
    return block(
      '[',
      ']',
      indent,
      value.map((item) => `${inner}${jsonText(item, inner)}`),
    );
  }
  const lines = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => `${inner}${JSON.stringify(key)}: ${jsonText(item, inner)}`);
  return lines.length === 0 ? '{}' : block('{', '}', indent, lines);
}

function block(open: string, close: string, indent: string, lines: readonly string[]): string {
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

function oneLine(value: unknown): string {
  if (!Array.isArray(value)) return stringifyJson(value, true);
  return `[${value.map(oneLine).join(', ')}]`;
}

function holdsObject(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(holdsObject);
  return typeof value === 'object' && value !== null;
}
