import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { verifyWebhook } from '../src/index.ts';

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const OLD_SECRET = `whsec_${Buffer.alloc(24, 8).toString('base64')}`;
const SENT_AT = new Date('2026-11-23T12:00:00Z');
const PAYLOAD = '{"type":"prediction.completed","data":{"id":"digits.1","text":"ü"}}';

/** A delivery as the library of others makes it. */
function delivery(secret = SECRET, payload = PAYLOAD): Record<string, string> {
  return {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(SENT_AT.getTime() / 1000),
    'webhook-signature': new Webhook(secret).sign('msg_1', SENT_AT, payload),
  };
}

const now = { nowMs: SENT_AT.getTime() + 1000 };

describe('a delivery that another library has signed', () => {
  test.each([
    ['fetch', new Headers(delivery())],
    ['Node', delivery()],
    [
      'somebody who writes them large',
      {
        'Webhook-Id': 'msg_1',
        'Webhook-Timestamp': delivery()['webhook-timestamp'],
        'Webhook-Signature': [delivery()['webhook-signature'] ?? ''],
      },
    ],
  ])('is taken with headers as %s has them', async (_, headers) => {
    expect(await verifyWebhook(PAYLOAD, headers, SECRET, now)).toEqual({
      id: 'msg_1',
      sentAt: SENT_AT,
      payload: { type: 'prediction.completed', data: { id: 'digits.1', text: 'ü' } },
    });
  });

  test('is taken as bytes, and with a secret without its prefix', async () => {
    const bytes = Buffer.from(PAYLOAD);
    const verified = await verifyWebhook(bytes, delivery(), SECRET.slice('whsec_'.length), now);
    expect(verified.id).toBe('msg_1');
  });

  test('is taken while the secret is being changed, on either side', async () => {
    await expect(
      verifyWebhook(PAYLOAD, delivery(OLD_SECRET), [SECRET, OLD_SECRET], now),
    ).resolves.toBeDefined();
    const both = `v1a,AAAA ${delivery(OLD_SECRET)['webhook-signature']} ${delivery()['webhook-signature']}`;
    const headers = { ...delivery(), 'webhook-signature': both };
    await expect(verifyWebhook(PAYLOAD, headers, SECRET, now)).resolves.toBeDefined();
  });
});

describe('refuses', () => {
  const signature = delivery()['webhook-signature'] ?? '';
  test.each([
    ['another body', PAYLOAD.replace('1', '2'), delivery(), SECRET, 'BAD_SIGNATURE'],
    ['another id', PAYLOAD, { ...delivery(), 'webhook-id': 'msg_2' }, SECRET, 'BAD_SIGNATURE'],
    ['another secret', PAYLOAD, delivery(OLD_SECRET), SECRET, 'BAD_SIGNATURE'],
    ['no secret', PAYLOAD, delivery(), [], 'BAD_SIGNATURE'],
    [
      'a cut signature',
      PAYLOAD,
      { ...delivery(), 'webhook-signature': signature.slice(0, -4) },
      SECRET,
      'BAD_SIGNATURE',
    ],
    [
      'a signature of another kind',
      PAYLOAD,
      { ...delivery(), 'webhook-signature': signature.replace('v1,', 'v1a,') },
      SECRET,
      'BAD_SIGNATURE',
    ],
    ['no signature', PAYLOAD, { ...delivery(), 'webhook-signature': '' }, SECRET, 'MISSING_HEADER'],
    ['no headers', PAYLOAD, {}, SECRET, 'MISSING_HEADER'],
    [
      'a time that is none',
      PAYLOAD,
      { ...delivery(), 'webhook-timestamp': 'now' },
      SECRET,
      'BAD_TIMESTAMP',
    ],
    ['a secret that is none', PAYLOAD, delivery(), 'whsec_%', 'BAD_SECRET'],
    ['what is not JSON', 'hello', delivery(SECRET, 'hello'), SECRET, 'BAD_PAYLOAD'],
  ])('%s', async (_, payload, headers, secret, problem) => {
    const verdict = verifyWebhook(payload, headers, secret, now);
    await expect(verdict).rejects.toMatchObject({ name: 'WebhookError', problem });
  });

  test.each([
    [301_000, 'TOO_OLD'],
    [-301_000, 'TOO_NEW'],
  ])('a delivery that is %i ms old', async (ageMs, problem) => {
    const options = { nowMs: SENT_AT.getTime() + ageMs };
    await expect(verifyWebhook(PAYLOAD, delivery(), SECRET, options)).rejects.toMatchObject({
      problem,
    });
    const patient = { ...options, toleranceMs: 302_000 };
    await expect(verifyWebhook(PAYLOAD, delivery(), SECRET, patient)).resolves.toBeDefined();
  });
});
