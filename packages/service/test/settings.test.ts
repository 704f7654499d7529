import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  assertGuarded,
  integerText,
  isLoopback,
  listText,
  portText,
  readSettings,
  setting,
  sharedSettings,
} from '../src/index.ts';

const settings = {
  port: setting({
    variable: 'QUERN_TEST_PORT',
    schema: portText(),
    fallback: 8080,
    meaning: 'A port.',
  }),
  waitMs: setting({
    variable: 'QUERN_TEST_WAIT_MS',
    schema: integerText(10, 1000),
    fallback: 100,
    meaning: 'A time.',
  }),
  keys: setting<readonly string[]>({
    variable: 'QUERN_TEST_KEYS',
    schema: listText().refine((keys) => keys.every((key) => key.length > 3), {
      error: 'expected keys of more than 3 characters',
    }),
    fallback: [],
    meaning: 'Secrets.',
    secret: true,
  }),
};

describe('reading settings', () => {
  test('takes the defaults for what is unset or empty', () => {
    const defaults = { port: 8080, waitMs: 100, keys: [] };
    expect(readSettings(settings, {})).toEqual(defaults);
    expect(readSettings(settings, { QUERN_TEST_PORT: '', QUERN_TEST_KEYS: '' })).toEqual(defaults);
  });

  test('takes what is set', () => {
    const env = {
      QUERN_TEST_PORT: '0',
      QUERN_TEST_WAIT_MS: '1000',
      QUERN_TEST_KEYS: ' abcd , ,efgh,',
      OTHER: 'x',
    };
    expect(readSettings(settings, env)).toEqual({ port: 0, waitMs: 1000, keys: ['abcd', 'efgh'] });
  });

  test('reports all problems at once, with what was got and expected, and no secret', () => {
    const env = {
      QUERN_TEST_PORT: '80800',
      QUERN_TEST_WAIT_MS: '1.5',
      QUERN_TEST_KEYS: 'abcd,pw',
    };
    expect(() => readSettings(settings, env)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: [
          'Invalid settings:',
          '  QUERN_TEST_PORT: got "80800", expected a whole number from 0 to 65535',
          '  QUERN_TEST_WAIT_MS: got "1.5", expected a whole number from 10 to 1000',
          '  QUERN_TEST_KEYS: got its value, expected keys of more than 3 characters',
        ].join('\n'),
      }),
    );
  });

  test.each(['http://host', 'redis:host', 'user:hunter2@host'])(
    'never prints the address of Redis, which may hold a password (%s)',
    (url) => {
      const read = (): unknown => readSettings(sharedSettings, { QUERN_REDIS_URL: url });
      expect(read).toThrow(/QUERN_REDIS_URL: got its value, expected redis:\/\//);
      expect(read).not.toThrow(url);
    },
  );

  test('names the levels that there are', () => {
    expect(() => readSettings(sharedSettings, { QUERN_LOG_LEVEL: 'loud' })).toThrow(
      /QUERN_LOG_LEVEL: got "loud".*"info"/,
    );
  });
});

test('an integer is accepted exactly if it is one and in its range', () => {
  const schema = integerText(-5, 70_000);
  fc.assert(
    fc.property(fc.oneof(fc.integer({ min: -20, max: 80_000 }), fc.double()), (value) => {
      const isGood = Number.isInteger(value) && value >= -5 && value <= 70_000;
      const parsed = schema.safeParse(Object.is(value, -0) ? '0' : String(value));
      expect(parsed.success).toBe(isGood);
      if (isGood) expect(parsed.data).toBe(value === 0 ? 0 : value);
    }),
  );
  for (const text of ['', ' 1', '1 ', '0x10', '1e3', '+1', 'NaN', '١', '9'.repeat(400)]) {
    expect(schema.safeParse(text).success).toBe(false);
  }
});

describe('loopback', () => {
  test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])(
    '%s is reached from here only',
    (host) => {
      expect(isLoopback(host)).toBe(true);
      expect(() => assertGuarded(host, false, 'QUERN_API_KEYS')).not.toThrow();
    },
  );

  test.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    '127.0.0.1.example.com',
    '127.evil.example',
    'localhost.example.com',
    '',
    '::ffff:127.0.0.1',
    '2130706433',
  ])('%j needs a guard', (host) => {
    expect(isLoopback(host)).toBe(false);
    expect(() => assertGuarded(host, true, 'QUERN_API_KEYS')).not.toThrow();
    expect(() => assertGuarded(host, false, 'QUERN_API_KEYS')).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('Set QUERN_API_KEYS, or listen on 127.0.0.1.'),
      }),
    );
  });
});
