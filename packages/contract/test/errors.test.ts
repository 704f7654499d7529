import { describe, expect, it } from 'vitest';
import {
  ERROR_CATALOGUE,
  ERROR_CODES,
  isErrorCode,
  QuernError,
  toQuernError,
} from '../src/index.ts';

describe('the catalogue', () => {
  it('is total: each code has an error status and says what it means', () => {
    expect(ERROR_CODES.length).toBeGreaterThan(0);
    expect(Object.keys(ERROR_CATALOGUE)).toEqual(ERROR_CODES);
    for (const code of ERROR_CODES) {
      const { httpStatus, retryable, meaning } = ERROR_CATALOGUE[code];
      expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
      expect(httpStatus, code).toBeGreaterThanOrEqual(400);
      expect(httpStatus, code).toBeLessThan(600);
      expect(meaning, code).toMatch(/^[A-Z].*\.$/);
      expect(new QuernError(code, 'text')).toMatchObject({ httpStatus, retryable });
    }
  });

  it("never asks to repeat a request that is the caller's fault", () => {
    const retryable = ERROR_CODES.filter((code) => ERROR_CATALOGUE[code].retryable);
    for (const code of retryable) {
      expect(ERROR_CATALOGUE[code].httpStatus, code).toSatisfy(
        (status) => status === 429 || status >= 500,
      );
    }
  });

  it('knows its codes and nothing that objects inherit', () => {
    for (const code of ERROR_CODES) expect(isErrorCode(code)).toBe(true);
    for (const text of ['', 'NOPE', 'constructor', '__proto__', 'toString', 'internal']) {
      expect(isErrorCode(text), text).toBe(false);
    }
  });
});

describe('QuernError', () => {
  it('is written with what clients and other processes need, and no stack or cause', () => {
    const details = { path: 'input.x', retryAfterSeconds: 3 };
    const error = new QuernError('QUEUE_FULL', 'full', { details, cause: new Error('secret') });
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      code: 'QUEUE_FULL',
      message: 'full',
      retryable: true,
      details,
    });
    expect(JSON.parse(JSON.stringify(new QuernError('INTERNAL', 'no')))).toEqual({
      code: 'INTERNAL',
      message: 'no',
      retryable: false,
    });
  });

  it('is read back from what was written', () => {
    const written = new QuernError('INFERENCE_FAILED', 'no', { retryable: true }).toJSON();
    const { code, message, ...options } = written;
    expect(new QuernError(code, message, options).toJSON()).toEqual(written);
  });

  it('names itself and keeps its cause', () => {
    const cause = new Error('why');
    const error = new QuernError('INTERNAL', 'what', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe('QuernError: what');
    expect(error.cause).toBe(cause);
    expect(new QuernError('INTERNAL', 'what')).not.toHaveProperty('cause');
  });
});

describe('toQuernError', () => {
  it('passes a QuernError through', () => {
    const error = new QuernError('CONFLICT', 'other body');
    expect(toQuernError(error, 'INTERNAL')).toBe(error);
  });

  it.each<[unknown, string]>([
    [new TypeError('x is not a function'), 'x is not a function'],
    ['text', 'text'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
    [Object.create(null), 'a value without a text was thrown'],
  ])('wraps anything else: %o', (thrown, message) => {
    expect(toQuernError(thrown)).toMatchObject({ code: 'INTERNAL', message, cause: thrown });
    expect(toQuernError(thrown, 'REDIS_UNAVAILABLE').code).toBe('REDIS_UNAVAILABLE');
  });
});
