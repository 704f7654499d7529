import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** The one account that may act on jobs. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Digests under a key that nobody knows have one length and say nothing of what was digested. */
const COMPARISON_KEY = randomBytes(32);

/** Compares in a time that depends neither on where they differ nor on which of the two does. */
export function areCredentials(expected: Credentials, given: Credentials): boolean {
  const isUser = isSameText(expected.user, given.user);
  const isPassword = isSameText(expected.password, given.password);
  return isUser && isPassword;
}

function isSameText(a: string, b: string): boolean {
  return timingSafeEqual(digest(COMPARISON_KEY, a), digest(COMPARISON_KEY, b));
}

function digest(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/**
 * The key that signs session cookies. It depends on the account too, so that a changed password ends
 * every session.
 * @param secret absent for a random one that lasts as long as the process
 */
export function signingKey(secret: string | undefined, { user, password }: Credentials): string {
  const base = secret ?? randomBytes(32);
  return digest(base, JSON.stringify([user, password])).toString('base64url');
}
