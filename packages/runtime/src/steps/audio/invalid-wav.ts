import { QuernError } from '@quern/contract';

/** An error about a WAV file; whoever decodes it for a prediction adds its place. */
export function invalidWav(problem: string): QuernError {
  return new QuernError('INVALID_INPUT', `the WAV file cannot be read: ${problem}`);
}
