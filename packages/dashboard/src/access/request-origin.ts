import type { IncomingMessage } from 'node:http';

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/**
 * Whether a request was addressed to this machine by a name that only this machine has. A page of
 * another site can make its own name point to 127.0.0.1 (DNS rebinding), but not change the name that
 * the browser sends.
 */
export function isAddressedToLoopback({ headers }: IncomingMessage): boolean {
  return headers.host !== undefined && LOOPBACK_HOST.test(headers.host);
}

/**
 * Whether a request can have come from one of our own pages. Browsers say so themselves; old ones, and
 * all of them on a plain-HTTP address, only name the page's origin. What is not a browser names none,
 * and no foreign page can make it act.
 */
export function isSameOrigin({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const { origin, host } = headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
