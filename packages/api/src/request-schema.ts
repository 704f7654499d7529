import { fieldPath, QuernError, show } from '@quern/contract';
import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/**
 * Reads a value from outside by its schema.
 * @param root what the value is, for a fault of the whole: `body`, `query`
 * @throws QuernError `INVALID_REQUEST` at the first fault: "path: got ..., expected ..."
 */
export function parseRequest<T>(schema: z.ZodType<T>, value: unknown, root: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue === undefined) throw invalidRequest(root, 'expected something else');
  throw invalidRequest(...describeIssue(issue, value, root, schema));
}

/** An `INVALID_REQUEST` error at a field's path. */
export function invalidRequest(path: string, problem: string): QuernError {
  return new QuernError('INVALID_REQUEST', `${path}: ${problem}`, { details: { path } });
}

function describeIssue(
  issue: Issue,
  value: unknown,
  root: string,
  schema: z.ZodType,
): [path: string, problem: string] {
  const path = pathOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const fields = issue.path.length === 0 ? fieldsOf(schema) : [];
    const expected = fields.length === 0 ? '' : `, expected ${fields.join(', ')}`;
    return [childPath(path, issue.keys[0] ?? ''), `unknown field${expected}`];
  }
  const at = path === '' ? root : path;
  const problem = expectation(issue);
  if (problem.startsWith('got ')) return [at, problem];
  return [at, `got ${show(valueAt(value, issue.path))}, ${problem}`];
}

const NOUNS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
};

function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${NOUNS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${issue.values.map((item) => JSON.stringify(item)).join(', ')}`;
    case 'too_big':
      return `expected ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unit(issue.origin)}`;
    case 'too_small':
      return `expected ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unit(issue.origin)}`;
    case 'invalid_union':
      return 'expected a string, a number, true or false';
    default:
      // The schema's own words.
      return issue.message;
  }
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' items' : '';
}

function fieldsOf(schema: z.ZodType): string[] {
  const shape: unknown = 'shape' in schema ? schema.shape : undefined;
  return typeof shape === 'object' && shape !== null ? Object.keys(shape) : [];
}

function pathOf(segments: readonly PropertyKey[]): string {
  return segments.reduce<string>(
    (path, segment) =>
      typeof segment === 'number' ? `${path}[${segment}]` : childPath(path, String(segment)),
    '',
  );
}

function childPath(parent: string, name: string): string {
  const path = fieldPath(parent, name);
  return parent === '' && path.startsWith('.') ? path.slice(1) : path;
}

function valueAt(value: unknown, segments: readonly PropertyKey[]): unknown {
  let current = value;
  for (const segment of segments) {
    if (typeof current !== 'object' || current === null) return undefined;
    // Own keys only: a path may be called "constructor".
    if (!Object.hasOwn(current, segment)) return undefined;
    current = Reflect.get(current, segment);
  }
  return current;
}
