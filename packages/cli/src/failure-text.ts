import { QuernError } from '@quern/contract';
import { ApiRefusal, ApiUnreachable } from './api-errors.ts';
import { EXIT_CODES, type ExitCode, UsageError } from './exit-codes.ts';
import type { Screen } from './terminal.ts';

/** Says what went wrong, in the words of whoever found out, and returns the exit code for it. */
export function reportFailure(error: unknown, screen: Screen): ExitCode {
  screen.write(`${failureText(error)}\n`);
  if (error instanceof UsageError) return EXIT_CODES.usage;
  if (error instanceof ApiUnreachable) return EXIT_CODES.unreachable;
  return EXIT_CODES.failed;
}

function failureText(error: unknown): string {
  if (error instanceof UsageError) return `error: ${error.message}`;
  if (error instanceof ApiUnreachable) return error.message;
  if (error instanceof ApiRefusal) {
    const { code, message, retryAfterSeconds } = error;
    const hint = retryAfterSeconds === undefined ? '' : ` Try again in ${retryAfterSeconds} s.`;
    return `${code}: ${message}${hint}`;
  }
  // Ours, not the API's: scripts have the exit code, people the message.
  if (error instanceof QuernError) return error.message;
  // A fault of ours: whoever reports it needs the stack.
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
