import { expect } from 'vitest';
import { QuernError } from '../src/index.ts';

/** The QuernError that a function throws; anything else that it throws or returns fails the test. */
export function thrownBy(run: () => unknown): QuernError {
  try {
    run();
  } catch (error) {
    if (error instanceof QuernError) return error;
    throw error;
  }
  throw new Error('expected a QuernError, but nothing was thrown');
}

/** Asserts the path, what the message says, and that path and message agree. */
export function expectInvalidInput(run: () => unknown, path: string, problem: string): void {
  const error = thrownBy(run);
  expect(error.code).toBe('INVALID_INPUT');
  expect(error.details).toEqual({ path });
  expect(error.message).toBe(`${path}: ${problem}`);
}
