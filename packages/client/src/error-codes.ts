import type { ErrorCode as CatalogueCode } from '@quern/contract';

/**
 * Whether the same request may succeed when it is sent again, by the code of the API's error catalogue
 * (docs/errors.md). A second copy, so that this package needs no other at run time: the compiler holds
 * its keys to the catalogue, a test its values.
 */
const RETRYABLE = {
  INVALID_JSON: false,
  INVALID_REQUEST: false,
  INVALID_INPUT: false,
  INPUT_FETCH_FAILED: false,
  INPUT_QUARANTINED: false,
  UNAUTHENTICATED: false,
  FORBIDDEN: false,
  NOT_FOUND: false,
  MODEL_NOT_FOUND: false,
  VERSION_NOT_FOUND: false,
  PREDICTION_NOT_FOUND: false,
  DELIVERY_NOT_FOUND: false,
  FILE_NOT_FOUND: false,
  METHOD_NOT_ALLOWED: false,
  CONFLICT: false,
  ADDRESS_REFUSED: false,
  PAYLOAD_TOO_LARGE: false,
  RANGE_NOT_SATISFIABLE: false,
  UNSUPPORTED_MEDIA_TYPE: false,
  QUEUE_FULL: true,
  CANCELED: false,
  DEADLINE_EXCEEDED: true,
  WAIT_TIMEOUT: true,
  INFERENCE_FAILED: false,
  PREPROCESS_FAILED: false,
  POSTPROCESS_FAILED: false,
  OUT_OF_MEMORY: true,
  RUN_TIMEOUT: true,
  RUNNER_CRASHED: true,
  MODEL_UNAVAILABLE: true,
  MODEL_LOAD_FAILED: false,
  WORKER_LOST: true,
  PAYLOAD_MISSING: false,
  FOREIGN_HOST_FAILED: true,
  BLOB_STORE_UNAVAILABLE: true,
  STORAGE_FULL: true,
  REDIS_UNAVAILABLE: true,
  SHUTTING_DOWN: true,
  CONFIG_INVALID: false,
  INTERNAL: false,
} as const satisfies Record<CatalogueCode, boolean>;

/** What the client itself finds out. */
const OWN_RETRYABLE = {
  /** No answer: the connection was refused or broke. */
  UNREACHABLE: true,
  /** No answer within the client's `timeoutMs`. */
  ANSWER_TIMEOUT: true,
  /** An answer that is not Quern's: some proxy's page, or another server. */
  BAD_ANSWER: false,
} as const;

/** A code of the API's catalogue. */
export type ApiErrorCode = keyof typeof RETRYABLE;
/** Every code that this version of the client knows. */
export type ErrorCode = ApiErrorCode | keyof typeof OWN_RETRYABLE;

const ALL: Readonly<Record<string, boolean>> = { ...RETRYABLE, ...OWN_RETRYABLE };

/** The codes of the API's catalogue. */
export const API_ERROR_CODES = Object.keys(RETRYABLE) as ApiErrorCode[];

/** Whether the same request may succeed when it is sent again; false for codes that are not known here. */
export function isRetryableCode(code: string): boolean {
  return Object.hasOwn(ALL, code) && ALL[code] === true;
}
