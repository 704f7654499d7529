import { QuernError } from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAllowRule } from '../src/address-rules.ts';
import type { EgressRules } from '../src/egress-rules.ts';
import { parseTargetUrl, shownUrl } from '../src/target-url.ts';

const OPEN: EgressRules = { allow: [], httpsOnly: false };

function allowing(...texts: string[]): EgressRules {
  return { allow: texts.flatMap((text) => parseAllowRule(text) ?? []), httpsOnly: true };
}

function refusal(text: string, rules = OPEN): QuernError {
  try {
    parseTargetUrl(text, rules, 'webhook');
  } catch (error) {
    if (error instanceof QuernError) return error;
    throw error;
  }
  throw new Error(`${text} was not refused`);
}

describe('a URL that a client names', () => {
  test.each(['https://example.com/x?y=1', 'http://8.8.8.8:8080/', 'https://[2606:4700::1111]/'])(
    'may be %s',
    (text) => expect(parseTargetUrl(text, OPEN, 'webhook').href).toBe(text),
  );

  test.each([
    '',
    'example.com',
    '/hook',
    'ftp://example.com/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'https://user:password@example.com/',
    'https://user@example.com/',
    `https://example.com/${'x'.repeat(2048)}`,
  ])('is refused for its form: %.40s', (text) => {
    const error = refusal(text);
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', details: { path: 'webhook' } });
    expect(error.message).not.toContain('password');
  });

  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://017700000001/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://localhost:6379/',
    'http://LOCALHOST./',
    'http://a.localhost/',
    'http://①②⑦.⓪.⓪.①/',
  ])('is refused for its address: %s', (text) => {
    expect(refusal(text)).toMatchObject({ code: 'ADDRESS_REFUSED', details: { path: 'webhook' } });
  });

  test('is refused in every notation of a private address', () => {
    const number = fc.integer({ min: 0x0a_00_00_00, max: 0x0a_ff_ff_ff });
    const written = (value: number) => [
      String(value),
      `0x${value.toString(16)}`,
      `0${value.toString(8)}`,
      `10.${value & 0xff_ff_ff}`,
      `[::ffff:${(value >>> 16).toString(16)}:${(value & 0xff_ff).toString(16)}]`,
    ];
    fc.assert(
      fc.property(number, (value) => {
        for (const host of written(value)) {
          expect(refusal(`http://${host}/`).code).toBe('ADDRESS_REFUSED');
        }
      }),
    );
  });

  test('must be https where that is set, unless its host is allowed by name or address', () => {
    const rules = allowing('127.0.0.1', 'hooks.internal');
    expect(refusal('http://example.com/', rules).code).toBe('ADDRESS_REFUSED');
    expect(refusal('http://8.8.8.8/', rules).code).toBe('ADDRESS_REFUSED');
    for (const text of ['http://127.0.0.1/', 'http://localhost/', 'http://hooks.internal/']) {
      expect(parseTargetUrl(text, rules, 'webhook').href).toBe(text);
    }
  });

  test('is shown without what may be secret in it', () => {
    expect(shownUrl(new URL('https://example.com/hook?token=abc#def'))).toBe(
      'https://example.com/hook',
    );
  });
});
