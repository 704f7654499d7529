import { QuernError, toQuernError } from '@quern/contract';

/** What a step threw, as its entry's error. */
export function stepError(
  code: 'PREPROCESS_FAILED' | 'POSTPROCESS_FAILED',
  step: string,
  cause: unknown,
): QuernError {
  const { message, retryable } = toQuernError(cause, code);
  return new QuernError(code, `step ${step}: ${message}`, { cause, retryable });
}
