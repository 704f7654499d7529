import { PREDICTION_ID_PATTERN, QuernError, show } from '@quern/contract';

/**
 * An id that cannot exist is answered without asking Redis.
 * @throws QuernError `PREDICTION_NOT_FOUND`
 */
export function knownForm(id: string): string {
  if (!PREDICTION_ID_PATTERN.test(id)) throw predictionNotFound(id);
  return id;
}

export function predictionNotFound(id: string): QuernError {
  return new QuernError(
    'PREDICTION_NOT_FOUND',
    `id: got ${show(id)}, but no such prediction exists, or its retention has ended`,
  );
}
