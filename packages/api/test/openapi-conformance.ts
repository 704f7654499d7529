import { z } from 'zod';
import type { OpenApiDocument } from '../src/index.ts';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly json: unknown;
}

/** What every path may answer without being described: it is another method's or path's. */
const UNDESCRIBED = new Set([204, 405]);

/**
 * Fails unless an answer is one that the description knows: a described path, a described status, and
 * a body that its schema takes. Answers to paths that do not exist are passed over.
 */
export function assertConforms(document: OpenApiDocument, seen: Seen): void {
  const operation = operationOf(document, seen);
  if (operation === undefined || UNDESCRIBED.has(seen.status) || seen.method === 'HEAD') return;
  const response = operation.responses?.[String(seen.status)];
  if (response === undefined) {
    throw new Error(`${seen.method} ${seen.path}: status ${seen.status} is not described`);
  }
  const schema = response.content?.['application/json']?.schema;
  if (schema === undefined || seen.json === undefined) return;
  const result = schemaFrom(document, schema).safeParse(seen.json);
  if (!result.success) {
    throw new Error(
      `${seen.method} ${seen.path}: ${seen.status} is not as described: ${result.error.message}`,
    );
  }
}

interface Operation {
  readonly responses?: Record<string, { content?: Record<string, { schema?: unknown }> }>;
}

function operationOf(document: OpenApiDocument, seen: Seen): Operation | undefined {
  const path = seen.path.split('?')[0] ?? '';
  const templates = Object.keys(document.paths ?? {});
  // The template with the fewest parameters is the one that the router takes.
  const template = templates
    .filter((candidate) => toPattern(candidate).test(path))
    .sort((a, b) => a.split('{').length - b.split('{').length)[0];
  if (template === undefined) return undefined;
  const item = document.paths?.[template] as Record<string, Operation> | undefined;
  return item?.[seen.method.toLowerCase()];
}

function toPattern(template: string): RegExp {
  return new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`);
}

const schemas = new Map<unknown, z.ZodType>();

/** A zod schema made of the described one, so that it is the description that is tested. */
function schemaFrom(document: OpenApiDocument, schema: unknown): z.ZodType {
  const known = schemas.get(schema);
  if (known !== undefined) return known;
  const whole = { ...(schema as object), $defs: document.components?.schemas };
  const text = JSON.stringify(whole).replaceAll('#/components/schemas/', '#/$defs/');
  const made = z.fromJSONSchema(JSON.parse(text));
  schemas.set(schema, made);
  return made;
}
