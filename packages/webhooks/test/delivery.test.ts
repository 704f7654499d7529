import { verifyWebhook } from '@quern/client';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SECRET, WebhookBench } from './webhook-bench.ts';

let bench: WebhookBench;
beforeAll(async () => {
  bench = await WebhookBench.open();
  await bench.webhooks();
});
afterAll(() => bench.close());

describe('a prediction with a webhook', () => {
  test('is told once, as the API answers it, with a signature that receivers can verify', async () => {
    const receiver = await bench.receiver();
    const id = await bench.order('told', receiver.url());
    bench.bench.consume('told');
    const { body, headers } = await receiver.request(1);
    expect(new Webhook(SECRET).verify(body, headers)).toMatchObject({ id });
    expect(await verifyWebhook(body, headers, SECRET)).toMatchObject({
      payload: { id, status: 'succeeded', output: { x: [[0, 1, 2, 3]] } },
    });
    const url = `https://quern.test/v1/predictions/${id}`;
    expect(receiver.bodies[0]?.['urls']).toMatchObject({ get: url });
  });
});
