import { isIP } from 'node:net';
import { QuernError } from '@quern/contract';

/** Whether an address can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/**
 * Refuses to open a door that nobody guards.
 * @param guard the variable that would guard it, for the message
 * @throws QuernError `CONFIG_INVALID`
 */
export function assertGuarded(host: string, isGuarded: boolean, guard: string): void {
  if (isLoopback(host) || isGuarded) return;
  throw new QuernError(
    'CONFIG_INVALID',
    `QUERN_HOST is ${host}, which other machines can reach, but ${guard} is not set. ` +
      `Set ${guard}, or listen on 127.0.0.1.`,
  );
}
