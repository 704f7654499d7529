import { ERROR_CATALOGUE, type ErrorCode } from '@quern/contract';
import type { Response } from 'express';

/**
 * Answers with an error. The body is Quern's error body, with what the board's page needs to show the
 * message: a key of its own vocabulary, and the message once more beside it.
 */
export function refuse(response: Response, code: ErrorCode, message: string): void {
  const { httpStatus } = ERROR_CATALOGUE[code];
  response
    .status(httpStatus)
    .set('cache-control', 'no-store')
    .json({ error: { key: boardKey(code), code, message }, message });
}

function boardKey(code: ErrorCode): string {
  if (code === 'REDIS_UNAVAILABLE') return 'ERRORS.REDIS_UNAVAILABLE';
  const isOurFault = ERROR_CATALOGUE[code].httpStatus >= 500;
  return isOurFault ? 'ERRORS.INTERNAL_SERVER_ERROR' : 'ERRORS.FORBIDDEN';
}
