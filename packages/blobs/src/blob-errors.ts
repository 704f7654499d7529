import { QuernError } from '@quern/contract';

const MAX_KEY_LENGTH = 512;

/**
 * A failure of a storage as Quern's own error, which may pass.
 * @param where the storage as an operator knows it: `the folder /srv/blobs`
 */
export function blobStoreFault(action: string, where: string, error: unknown): QuernError {
  if (error instanceof QuernError) return error;
  const cause = error instanceof Error ? error.message || error.name : String(error);
  return new QuernError('BLOB_STORE_UNAVAILABLE', `Could not ${action} in ${where}: ${cause}`, {
    cause: error,
  });
}

/** @throws QuernError `INTERNAL` for a key that no store takes */
export function assertBlobKey(key: string): void {
  if (key.length >= 1 && key.length <= MAX_KEY_LENGTH) return;
  throw new QuernError(
    'INTERNAL',
    `got a blob's key of ${key.length} characters, expected 1 to ${MAX_KEY_LENGTH}`,
  );
}
