import { type ErrorCode, QuernError, type QuernErrorOptions } from '@quern/contract';

/**
 * Why a whole batch has no result. With `started: false` the model has not seen it: another runner may
 * take it, and it costs none of its entries an attempt.
 */
export class RunnerFault extends QuernError {
  readonly started: boolean;
  /** The process ended in a way that may be for want of memory; nobody can tell for sure. */
  readonly maybeMemory: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    started: boolean,
    options: QuernErrorOptions & { readonly maybeMemory?: boolean } = {},
  ) {
    super(code, message, options);
    this.name = 'RunnerFault';
    this.started = started;
    this.maybeMemory = options.maybeMemory ?? false;
  }
}
