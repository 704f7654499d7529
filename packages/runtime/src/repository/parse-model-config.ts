import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type ConfigPositions, configPositions } from './config-positions.ts';
import { type ModelConfig, modelConfigSchema } from './model-config.ts';
import { nearestName } from './nearest-name.ts';
import type { RepositoryProblem } from './repository-problem.ts';

type Document = ReturnType<typeof parseDocument>;
type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

export type ParsedModelConfig =
  | { readonly config: ModelConfig; readonly positions: ConfigPositions }
  | { readonly problems: readonly RepositoryProblem[] };

/**
 * Reads the text of a `model.yaml`. An empty text gives the defaults.
 * @returns the configuration, or every problem with its line, column and key
 */
export function parseModelConfig(text: string, model: string, file: string): ParsedModelConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      model,
      file,
      ...position(lines, error.pos[0]),
      message: `not valid YAML: ${error.message}`,
    }));
    return { problems };
  }
  const parsed = modelConfigSchema.safeParse(document.toJS() ?? {});
  if (parsed.success) return { config: parsed.data, positions: configPositions(document, lines) };
  const problems = parsed.error.issues.flatMap((issue) =>
    describeIssue(issue).map(({ path, message }) => ({
      model,
      file,
      ...position(lines, offsetOf(document, path)),
      ...(path.length > 0 ? { key: path.join('.') } : {}),
      message,
    })),
  );
  return { problems };
}

function describeIssue(issue: Issue): { path: Path; message: string }[] {
  if (issue.code === 'invalid_key') {
    const message = issue.issues[0]?.message ?? issue.message;
    return [{ path: issue.path, message }];
  }
  if (issue.code !== 'unrecognized_keys') {
    return [{ path: issue.path, message: issue.message.replace(/^Invalid input: /, '') }];
  }
  const known = knownKeys(modelConfigSchema, issue.path);
  return issue.keys.map((key) => {
    const nearest = nearestName(key, known);
    const hint =
      nearest === undefined ? `expected one of ${known.join(', ')}` : `did you mean ${nearest}?`;
    return { path: [...issue.path, key], message: `unknown key; ${hint}` };
  });
}

/** The keys of the object schema at a path, looking through defaults, records and arrays. */
function knownKeys(schema: z.core.$ZodType, path: Path): string[] {
  const { def } = schema._zod as { def: SchemaDefinition };
  const inner = def.innerType ?? def.out;
  if (inner !== undefined) return knownKeys(inner, path);
  const [first, ...rest] = path;
  if (first === undefined) return Object.keys(def.shape ?? {});
  const next = def.shape?.[String(first)] ?? def.valueType ?? def.element;
  return next === undefined ? [] : knownKeys(next, rest);
}

/** What is read of zod's definitions of objects, records and wrappers. */
interface SchemaDefinition {
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly innerType?: z.core.$ZodType;
  /** Of a schema with something done before it. */
  readonly out?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  /** Of an array. */
  readonly element?: z.core.$ZodType;
}

/** Where the key at a path stands; of a missing one, where its parent starts. */
function offsetOf(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const step of path) {
    if (isSeq(node)) {
      node = node.items[Number(step)];
      if (isNode(node)) offset = node.range?.[0] ?? offset;
    } else if (isMap(node)) {
      // A key that YAML reads as a number (`1: ...`) is a text in the value that was parsed.
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
      if (pair === undefined) break;
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    }
  }
  return offset;
}

function position(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}
