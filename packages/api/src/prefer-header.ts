/** The longest wait that a client can ask for, in seconds. */
export const MAX_WAIT_SECONDS = 60;

const WAIT = /(?:^|[,;\s])wait(?:\s*=\s*"?(\d{1,9})"?)?(?=\s*(?:[,;]|$))/i;

/**
 * The wait that a `Prefer` header (RFC 7240) asks for, in whole seconds: `wait=10`, or `wait` for as
 * long as possible. Longer ones are shortened. Preferences that make no sense are passed over, as
 * that RFC demands.
 */
export function preferredWaitSeconds(header: string | undefined): number | undefined {
  const match = header === undefined ? null : WAIT.exec(header);
  if (match === null) return undefined;
  const seconds = match[1] === undefined ? MAX_WAIT_SECONDS : Number(match[1]);
  return Math.min(seconds, MAX_WAIT_SECONDS);
}
