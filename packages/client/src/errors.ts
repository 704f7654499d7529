import { type ErrorCode, isRetryableCode } from './error-codes.ts';

export interface QuernErrorOptions {
  readonly retryable?: boolean | undefined;
  /** Machine-readable particulars: `path` is the field at fault. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** Of the request that went wrong; the API's log has it, too. */
  readonly requestId?: string | undefined;
  readonly cause?: unknown;
}

/** Anything that goes wrong in a call, beside an abort, which throws the signal's reason. */
export class QuernError extends Error {
  /** A newer API may send codes that are not known here yet. */
  readonly code: ErrorCode | (string & {});
  /** Whether the same call may succeed when it is made again. */
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly requestId: string | undefined;

  constructor(code: ErrorCode | (string & {}), message: string, options: QuernErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'QuernError';
    this.code = code;
    this.retryable = options.retryable ?? isRetryableCode(code);
    this.details = options.details;
    this.requestId = options.requestId;
  }
}

/** The API has refused a request. */
export class ApiError extends QuernError {
  /** The HTTP status. */
  readonly status: number;
  /** When to try again, if the API said so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode | (string & {}),
    message: string,
    options: QuernErrorOptions & { status: number; retryAfterMs?: number | undefined },
  ) {
    super(code, message, options);
    this.name = 'ApiError';
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** There is no answer, or none of Quern's: `UNREACHABLE`, `ANSWER_TIMEOUT`, `BAD_ANSWER`. */
export class ConnectionError extends QuernError {
  constructor(
    code: 'UNREACHABLE' | 'ANSWER_TIMEOUT' | 'BAD_ANSWER',
    message: string,
    options: QuernErrorOptions = {},
  ) {
    super(code, message, options);
    this.name = 'ConnectionError';
  }
}

/** The wait is over before the prediction is; it goes on, and `wait` finds it by its id. */
export class WaitTimeoutError extends QuernError {
  readonly predictionId: string;

  constructor(predictionId: string, timeoutMs: number) {
    super(
      'WAIT_TIMEOUT',
      `Prediction ${predictionId} has not ended within ${timeoutMs} ms; it goes on, so wait for it again or cancel it`,
    );
    this.name = 'WaitTimeoutError';
    this.predictionId = predictionId;
  }
}

/** An `INVALID_INPUT` that is found before anything is sent. */
export function invalidInput(path: string, problem: string): QuernError {
  return new QuernError('INVALID_INPUT', `${path}: ${problem}`, { details: { path } });
}

/** A `BAD_ANSWER` with the field that is not as it should be. */
export function badAnswer(path: string, problem: string): ConnectionError {
  return new ConnectionError('BAD_ANSWER', `The answer is not Quern's: ${path}: ${problem}`);
}
