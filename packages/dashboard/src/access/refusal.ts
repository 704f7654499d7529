import { ERROR_CATALOGUE, type ErrorCode } from '@quern/contract';
import type { Response } from 'express';

/**
 * Answers with an error. The body is Quern's error body, with what the board's page needs to show the
 * message: a key of its own vocabulary, and the message once more beside it.
 */
export function refuse(response: Response, code: ErrorCode, message: string): void {
  const { httpStatus } = ERROR_CATALOGUE[code];
  const key = httpStatus >= 500 ? 'ERRORS.INTERNAL_SERVER_ERROR' : 'ERRORS.FORBIDDEN';
  response
    .status(httpStatus)
    .set('cache-control', 'no-store')
    .json({ error: { key, code, message }, message });
}
