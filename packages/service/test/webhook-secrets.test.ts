import { describe, expect, test } from 'vitest';
import { readSettings, webhookSecretSettings } from '../src/index.ts';

const secretOf = (bytes: number): string => `whsec_${Buffer.alloc(bytes, 5).toString('base64')}`;
const read = (text: string): readonly string[] =>
  readSettings(webhookSecretSettings, { QUERN_WEBHOOK_SECRETS: text }).webhookSecrets;

describe('QUERN_WEBHOOK_SECRETS', () => {
  test('takes secrets of 24 to 64 bytes, in their order', () => {
    expect(read(`${secretOf(64)}, ${secretOf(24)}`)).toEqual([secretOf(64), secretOf(24)]);
    expect(read('')).toEqual([]);
  });

  test.each([secretOf(23), secretOf(65), 'whsec_', 'secret', 'whsec_!!!!', secretOf(32).slice(6)])(
    'refuses %s without repeating it',
    (text) => {
      expect(() => read(text)).toThrow(
        /^(?!.*BQUF).*QUERN_WEBHOOK_SECRETS: got its value, expected/s,
      );
    },
  );
});
