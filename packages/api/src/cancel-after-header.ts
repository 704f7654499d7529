import { MAX_TIMEOUT_MS } from '@quern/contract';
import { invalidRequest } from './request-schema.ts';

/** A number of seconds, or hours, minutes and seconds by their letters: `90`, `1m`, `1h30m`. */
const DURATION = /^(?=\d)(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,7})s?)?$/;

/**
 * The time that a `Cancel-After` header leaves a prediction to start in, as Replicate's API has it.
 * @throws QuernError `INVALID_REQUEST` if it is no duration, or is longer than a week
 */
export function cancelAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const match = DURATION.exec(header.trim());
  const [hours, minutes, seconds] = [1, 2, 3].map((group) => Number(match?.[group] ?? 0));
  const totalMs = 1000 * (3600 * (hours ?? 0) + 60 * (minutes ?? 0) + (seconds ?? 0));
  if (match !== null && totalMs > 0 && totalMs <= MAX_TIMEOUT_MS) return totalMs;
  const got = JSON.stringify(header.slice(0, 40));
  throw invalidRequest(
    'Cancel-After',
    `got ${got}, expected a duration of at most a week such as 90s, 5m or 1h30m`,
  );
}
