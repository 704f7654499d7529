import { type ErrorCode, QuernError, type QuernErrorOptions } from '@quern/contract';

/**
 * Why a whole batch has no result. With `started: false` the model has not seen it: another runner may
 * take it, and it costs none of its entries an attempt.
 */
export class RunnerFault extends QuernError {
  readonly started: boolean;

  constructor(code: ErrorCode, message: string, started: boolean, options: QuernErrorOptions = {}) {
    super(code, message, options);
    this.name = 'RunnerFault';
    this.started = started;
  }
}
