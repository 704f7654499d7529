import cors from 'cors';
import type { RequestHandler } from 'express';

/** How long a browser may remember what it may do. */
const REMEMBERED_SECONDS = 600;

/**
 * Lets pages of other origins call the API and read its answers (CORS). Keys travel in a header that the
 * page's script sets, never in cookies, so no page can use the key of another.
 * @param origins such as `https://app.example.com`; `*` among them lets any page in
 */
export function crossOrigin(origins: readonly string[]): RequestHandler {
  return cors({
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    exposedHeaders: ['Location', 'Preference-Applied', 'Retry-After', 'X-Request-Id'],
    maxAge: REMEMBERED_SECONDS,
  });
}
