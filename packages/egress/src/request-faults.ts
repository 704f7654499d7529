import { QuernError } from '@quern/contract';
import { errors } from 'undici';
import { shownUrl } from './target-url.ts';

/**
 * What went wrong with a request, in the words of the catalogue. `details.reason` says which of the ways
 * in which a foreign host can fail it was.
 */
export function requestFault(error: unknown, url: URL): QuernError {
  const known = [error, ...causesOf(error)].find((cause) => cause instanceof QuernError);
  if (known instanceof QuernError) return known;
  const where = shownUrl(url);
  if (isTimeout(error)) return failed(where, 'timeout', 'took too long to answer', error);
  const text = error instanceof Error ? error.message || error.name : String(error);
  return failed(where, 'connection', `could not be asked: ${reasonOf(error) ?? text}`, error);
}

/** An answer that is larger than the caller takes. */
export function tooLarge(url: URL, maxBytes: number): QuernError {
  return new QuernError(
    'PAYLOAD_TOO_LARGE',
    `${shownUrl(url)} answers with more than ${maxBytes} bytes, the limit`,
    { details: { limit: maxBytes } },
  );
}

/** An answer that sends the request elsewhere, where it must not or cannot go. */
export function redirectFault(url: URL, what: string): QuernError {
  return failed(shownUrl(url), 'redirect', what, undefined, false);
}

/** The whole request took longer than it may. */
export function timeLimitFault(url: URL, limitMs: number): QuernError {
  return failed(shownUrl(url), 'timeout', `took longer than ${limitMs} ms, the limit`);
}

function failed(
  where: string,
  reason: 'timeout' | 'connection' | 'redirect',
  what: string,
  cause?: unknown,
  retryable = true,
): QuernError {
  return new QuernError('FOREIGN_HOST_FAILED', `${where} ${what}`, {
    details: { reason },
    retryable,
    ...(cause !== undefined && { cause }),
  });
}

function isTimeout(error: unknown): boolean {
  return [error, ...causesOf(error)].some(
    (cause) =>
      cause instanceof errors.ConnectTimeoutError ||
      cause instanceof errors.HeadersTimeoutError ||
      cause instanceof errors.BodyTimeoutError ||
      (cause instanceof Error && 'code' in cause && cause.code === 'ETIMEDOUT'),
  );
}

/** The text of an error that has none of its own: Node joins those of several addresses. */
function reasonOf(error: unknown): string | undefined {
  const texts = causesOf(error).map((cause) => (cause instanceof Error ? cause.message : ''));
  return error instanceof Error && error.message === '' ? texts.join(', ') : undefined;
}

function causesOf(error: unknown): readonly unknown[] {
  if (error instanceof AggregateError) return error.errors;
  return error instanceof Error && error.cause !== undefined ? [error.cause] : [];
}
