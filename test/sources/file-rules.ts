import { basename } from 'node:path';

export const MAX_LINES = 400;
const VAGUE_NAMES = new Set(['utils', 'util', 'helpers', 'helper', 'common', 'types', 'misc']);

/** What is wrong with a source's length or name. */
export function fileViolations(path: string, text: string): string[] {
  const violations: string[] = [];
  const lines = text.split('\n').length - 1;
  if (lines > MAX_LINES) violations.push(`${path}: ${lines} lines, at most ${MAX_LINES}`);
  const stem = basename(path).split('.')[0] ?? '';
  if (stem.split('-').some((word) => VAGUE_NAMES.has(word.toLowerCase()))) {
    violations.push(`${path}: a name that says nothing; name it for what it does`);
  }
  return violations;
}
