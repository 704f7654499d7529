import type { Request } from 'express';

/** A name, an IPv4 address or a bracketed IPv6 one, with or without a port. */
const HOST = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;

/**
 * Scheme and authority for links in answers: the configured ones, else those that the client called;
 * empty (links are relative then) where its `Host` makes no sense.
 */
export function baseUrlOf(request: Request, publicUrl: string | undefined): string {
  if (publicUrl !== undefined) return publicUrl;
  const host = request.headers.host;
  if (host === undefined || !HOST.test(host)) return '';
  return `${request.protocol}://${host}`;
}
