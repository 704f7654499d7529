import type { ResponseConfig, ZodRequestBody } from '@asteasolutions/zod-to-openapi';
import { ERROR_CATALOGUE, type ErrorCode, errorBodySchema } from '@quern/contract';
import { z } from 'zod';

export type Responses = Record<string, ResponseConfig>;

/** The body of every error on `/v2`. */
export const protocolErrorSchema = z
  .object({ error: z.string().meta({ description: '`CODE: message`' }) })
  .meta({ id: 'ProtocolError' });

/** What any request can meet. */
const ALWAYS: readonly ErrorCode[] = ['INVALID_REQUEST', 'UNAUTHENTICATED', 'INTERNAL'];
const REDIS: readonly ErrorCode[] = ['REDIS_UNAVAILABLE', 'SHUTTING_DOWN'];
const MODEL: readonly ErrorCode[] = [...REDIS, 'MODEL_NOT_FOUND'];
const BODY: readonly ErrorCode[] = ['INVALID_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];
const VERSION: readonly ErrorCode[] = [...MODEL, 'VERSION_NOT_FOUND', 'MODEL_UNAVAILABLE'];
const CREATE: readonly ErrorCode[] = [
  ...BODY,
  ...VERSION,
  'INVALID_INPUT',
  'INPUT_QUARANTINED',
  'QUEUE_FULL',
];

/** Codes by what an operation touches, for `errorResponses`. */
export const FAULTS = {
  none: [],
  redis: REDIS,
  prediction: [...REDIS, 'PREDICTION_NOT_FOUND'],
  delivery: [...REDIS, 'DELIVERY_NOT_FOUND'],
  body: BODY,
  file: [...REDIS, 'FILE_NOT_FOUND'],
  upload: [...REDIS, 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'STORAGE_FULL'],
  model: MODEL,
  modelBody: [...BODY, ...MODEL],
  repositoryIndex: [...BODY, ...REDIS],
  repository: [
    ...BODY,
    ...MODEL,
    'FORBIDDEN',
    'MODEL_LOAD_FAILED',
    'MODEL_UNAVAILABLE',
    'WAIT_TIMEOUT',
  ],
  /** Of what only administrators may do. */
  administration: ['FORBIDDEN'],
  /** Of a model that is known but cannot be loaded, even the metadata are not. */
  version: VERSION,
  create: [...CREATE, 'CONFLICT', 'ADDRESS_REFUSED'],
  infer: [
    ...CREATE,
    'CANCELED',
    'DEADLINE_EXCEEDED',
    'WAIT_TIMEOUT',
    'INFERENCE_FAILED',
    'PREPROCESS_FAILED',
    'POSTPROCESS_FAILED',
    'OUT_OF_MEMORY',
    'RUN_TIMEOUT',
    'RUNNER_CRASHED',
    'WORKER_LOST',
    'PAYLOAD_MISSING',
  ],
} as const satisfies Record<string, readonly ErrorCode[]>;

const RETRY_AFTER = {
  'Retry-After': {
    description: 'Seconds after which to try again.',
    schema: { type: 'integer' as const },
  },
};

/** The error answers of an operation: one for each status, which names its codes. */
export function errorResponses(codes: readonly ErrorCode[], schema: z.ZodType): Responses {
  const byStatus = new Map<number, Set<ErrorCode>>();
  for (const code of [...ALWAYS, ...codes]) {
    const { httpStatus } = ERROR_CATALOGUE[code];
    byStatus.set(httpStatus, (byStatus.get(httpStatus) ?? new Set()).add(code));
  }
  const entries = [...byStatus].map(([status, named]): [string, ResponseConfig] => {
    const lines = [...named].map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].meaning}`);
    const headers = status === 429 || status === 503 ? { headers: RETRY_AFTER } : {};
    return [String(status), { ...jsonResponse(lines.join('\n\n'), schema), ...headers }];
  });
  return Object.fromEntries(entries);
}

/** For the description of an operation that is for administrators. */
export const ADMINISTRATORS = { security: [{ adminKey: [] }, {}] };

/** Error answers in the form of `/v1`. */
export function v1Errors(codes: readonly ErrorCode[]): Responses {
  return errorResponses(codes, errorBodySchema);
}

/** Error answers in the form of `/v2`. */
export function v2Errors(codes: readonly ErrorCode[]): Responses {
  return errorResponses(codes, protocolErrorSchema);
}

export function jsonResponse(description: string, schema: z.ZodType): ResponseConfig {
  return { description, content: { 'application/json': { schema } } };
}

export function jsonBody(schema: z.ZodType, examples: Record<string, unknown>): ZodRequestBody {
  const named = Object.entries(examples).map(([name, value]) => [name, { value }]);
  return {
    required: true,
    content: { 'application/json': { schema, examples: Object.fromEntries(named) } },
  };
}

/** The same with the choice of a binary body. */
export function binaryContent<T extends ResponseConfig | ZodRequestBody>(body: T): T {
  const binary = { schema: z.string().meta({ format: 'binary' }) };
  return { ...body, content: { ...body.content, 'application/octet-stream': binary } };
}
