interface ErrorTraits {
  readonly httpStatus: number;
  /** Whether the same request may succeed when it is sent again. */
  readonly retryable: boolean;
  /** One line for the reference documentation. */
  readonly meaning: string;
}

/**
 * The error catalogue: every code that Quern reports. The map is total, so a new code without a status
 * does not compile.
 */
const CATALOGUE = {
  INVALID_JSON: { httpStatus: 400, retryable: false, meaning: 'The body is not valid JSON.' },
  INVALID_REQUEST: {
    httpStatus: 400,
    retryable: false,
    meaning: 'A field of the request is missing, unknown or of the wrong type.',
  },
  INVALID_INPUT: {
    httpStatus: 400,
    retryable: false,
    meaning: "An input does not fit the model's signature.",
  },
  UNAUTHENTICATED: {
    httpStatus: 401,
    retryable: false,
    meaning: 'The API key is missing or wrong.',
  },
  FORBIDDEN: { httpStatus: 403, retryable: false, meaning: 'The caller may not do this.' },
  NOT_FOUND: { httpStatus: 404, retryable: false, meaning: 'No such path.' },
  MODEL_NOT_FOUND: {
    httpStatus: 404,
    retryable: false,
    meaning: 'No worker has ever served the model.',
  },
  VERSION_NOT_FOUND: {
    httpStatus: 404,
    retryable: false,
    meaning: 'The model has no such version.',
  },
  PREDICTION_NOT_FOUND: {
    httpStatus: 404,
    retryable: false,
    meaning: 'No such prediction, or its retention has ended.',
  },
  DELIVERY_NOT_FOUND: {
    httpStatus: 404,
    retryable: false,
    meaning: 'No such delivery of a webhook, or its retention has ended.',
  },
  FILE_NOT_FOUND: {
    httpStatus: 404,
    retryable: false,
    meaning: 'No such file, or its time is over.',
  },
  METHOD_NOT_ALLOWED: {
    httpStatus: 405,
    retryable: false,
    meaning: 'The path takes other methods.',
  },
  CONFLICT: {
    httpStatus: 409,
    retryable: false,
    meaning: 'The id or idempotency key was used with another body.',
  },
  ADDRESS_REFUSED: {
    httpStatus: 400,
    retryable: false,
    meaning: 'A URL leads to an address that is not public and not allowed.',
  },
  PAYLOAD_TOO_LARGE: { httpStatus: 413, retryable: false, meaning: 'The body is over the limit.' },
  RANGE_NOT_SATISFIABLE: {
    httpStatus: 416,
    retryable: false,
    meaning: 'The range of bytes lies beyond the end of the file.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    httpStatus: 415,
    retryable: false,
    meaning: 'The content type or encoding is not supported.',
  },
  INPUT_FETCH_FAILED: {
    httpStatus: 422,
    retryable: false,
    meaning: 'An input by URL could not be fetched.',
  },
  INPUT_QUARANTINED: {
    httpStatus: 422,
    retryable: false,
    meaning: "The input has ended the model's process twice and is refused for a while.",
  },
  QUEUE_FULL: {
    httpStatus: 429,
    retryable: true,
    meaning: "The model's queue has reached its limit; Retry-After says when to try again.",
  },
  CANCELED: { httpStatus: 409, retryable: false, meaning: 'The prediction was canceled.' },
  DEADLINE_EXCEEDED: {
    httpStatus: 504,
    retryable: true,
    meaning: 'The prediction did not start before its deadline.',
  },
  WAIT_TIMEOUT: {
    httpStatus: 504,
    retryable: true,
    meaning: 'The synchronous wait ended first; the prediction goes on.',
  },
  INFERENCE_FAILED: {
    httpStatus: 500,
    retryable: false,
    meaning: 'The model refused this input when it ran.',
  },
  PREPROCESS_FAILED: {
    httpStatus: 422,
    retryable: false,
    meaning: "A step of the model's preprocessing refused this input; the message names the step.",
  },
  POSTPROCESS_FAILED: {
    httpStatus: 500,
    retryable: false,
    meaning: "A step of the model's postprocessing failed for this prediction.",
  },
  OUT_OF_MEMORY: { httpStatus: 500, retryable: true, meaning: 'The device had too little memory.' },
  RUN_TIMEOUT: {
    httpStatus: 504,
    retryable: true,
    meaning: "The run took longer than the model's runTimeoutMs and was ended.",
  },
  RUNNER_CRASHED: {
    httpStatus: 500,
    retryable: true,
    meaning: "The model's process ended in mid-run.",
  },
  MODEL_UNAVAILABLE: {
    httpStatus: 503,
    retryable: true,
    meaning: 'The model is known but could not be loaded, or fails for every input.',
  },
  MODEL_LOAD_FAILED: {
    httpStatus: 400,
    retryable: false,
    meaning: 'A worker could not load the model; what it served before, it serves on.',
  },
  WORKER_LOST: {
    httpStatus: 500,
    retryable: true,
    meaning: 'The workers that ran the prediction vanished too many times.',
  },
  PAYLOAD_MISSING: {
    httpStatus: 500,
    retryable: false,
    meaning: "The prediction's input is no longer in Redis.",
  },
  FOREIGN_HOST_FAILED: {
    httpStatus: 502,
    retryable: true,
    meaning: 'The host of a URL could not be reached, took too long or broke off.',
  },
  BLOB_STORE_UNAVAILABLE: {
    httpStatus: 503,
    retryable: true,
    meaning: 'The storage for large payloads (a folder or S3) fails.',
  },
  STORAGE_FULL: {
    httpStatus: 507,
    retryable: true,
    meaning: 'Files take as much room, or are as many, as they may.',
  },
  REDIS_UNAVAILABLE: { httpStatus: 503, retryable: true, meaning: 'Redis cannot be reached.' },
  SHUTTING_DOWN: { httpStatus: 503, retryable: true, meaning: 'The process is stopping.' },
  CONFIG_INVALID: {
    httpStatus: 500,
    retryable: false,
    meaning: 'A setting or model.yaml is invalid.',
  },
  INTERNAL: { httpStatus: 500, retryable: false, meaning: 'An unexpected fault; see the log.' },
} as const satisfies Record<string, ErrorTraits>;

export type ErrorCode = keyof typeof CATALOGUE;

/** The catalogue by code: HTTP status, whether to retry, and what the code means. */
export const ERROR_CATALOGUE: Readonly<Record<ErrorCode, ErrorTraits>> = CATALOGUE;

/** Every code, in the catalogue's order. */
export const ERROR_CODES = Object.keys(CATALOGUE) as ErrorCode[];

export interface QuernErrorOptions {
  /** Machine-readable particulars: `path` is the field, `retryAfterSeconds` sets `Retry-After`. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Overrides the catalogue, e.g. for a fault that is known to pass. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** What of an error crosses a process: no stack, no cause. */
export interface QuernErrorJson {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An error from the catalogue. The message says what was got, what was expected and where. */
export class QuernError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: QuernErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'QuernError';
    this.code = code;
    this.retryable = options.retryable ?? CATALOGUE[code].retryable;
    this.details = options.details;
  }

  get httpStatus(): number {
    return CATALOGUE[this.code].httpStatus;
  }

  /** What `JSON.stringify` writes; `new QuernError(code, message, { retryable, details })` reads it. */
  toJSON(): QuernErrorJson {
    const { code, message, retryable, details } = this;
    return { code, message, retryable, ...(details !== undefined && { details }) };
  }
}

/** Whether a string is a code of the catalogue. */
export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(CATALOGUE, value);
}

/** Any thrown value as a catalogue error; what is not one becomes `fallback` with the cause kept. */
export function toQuernError(error: unknown, fallback: ErrorCode = 'INTERNAL'): QuernError {
  if (error instanceof QuernError) return error;
  return new QuernError(fallback, thrownMessage(error), { cause: error });
}

function thrownMessage(error: unknown): string {
  if (error instanceof Error) return error.message;
  try {
    return String(error);
  } catch {
    return 'a value without a text was thrown';
  }
}
