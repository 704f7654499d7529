import { verifyWebhook } from '@quern/client';
import { eventually } from '@quern/testkit';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SECRET, WebhookBench } from './webhook-bench.ts';

const OTHER_SECRET = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;

let bench: WebhookBench;
beforeAll(async () => {
  bench = await WebhookBench.open();
});
afterAll(() => bench.close());

describe('a prediction with a webhook', () => {
  test('is told as the API answers it, with a signature that receivers can verify', async () => {
    await bench.webhooks();
    const receiver = await bench.receiver();
    const id = await bench.order('told', receiver.url('/hook?token=1'));
    bench.bench.consume('told');
    const { path, body, headers } = await receiver.request(1);
    expect(path).toBe('/hook?token=1');
    expect(headers).toMatchObject({ 'content-type': 'application/json' });
    expect(new Webhook(SECRET).verify(body, headers)).toMatchObject({ id });
    expect(await verifyWebhook(body, headers, SECRET)).toMatchObject({
      id: expect.stringMatching(/^msg_[\w-]{27}$/),
      payload: {
        id,
        status: 'succeeded',
        output: { x: [[0, 1, 2, 3]] },
        urls: { get: `https://quern.test/v1/predictions/${id}` },
      },
    });
  });

  test('is told of its start, too, if that was asked for, and of nothing else', async () => {
    await bench.webhooks();
    const receiver = await bench.receiver();
    await bench.order('both', receiver.url(), { events: ['start', 'completed'] });
    await bench.order('both', receiver.url('/start'), { events: ['start'] });
    bench.bench.consume('both');
    await receiver.request(3);
    const statuses = (path: string): unknown[] =>
      receiver.received
        .filter((request) => request.path === path)
        .map(({ body }) => (JSON.parse(body) as { status: string }).status);
    expect(statuses('/hook').sort()).toEqual(['processing', 'succeeded']);
    expect(statuses('/start')).toEqual(['processing']);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(3);
  });

  test('that is canceled, expires or fails is told of that', async () => {
    await bench.webhooks();
    const receiver = await bench.receiver();
    const canceled = await bench.order('ends', receiver.url());
    await bench.queue.cancel(canceled);
    await receiver.request(1);
    const expired = await bench.order('ends', receiver.url(), { timeoutMs: 1 });
    await receiver.request(2);
    const failed = await bench.order('ends', receiver.url());
    bench.bench.consume('ends', async () => {
      throw new Error('the model is broken');
    });
    await receiver.request(3);
    const told = receiver.bodies.map(({ id, status, error }) => [id, status, error]);
    expect(told).toEqual([
      [canceled, 'canceled', expect.objectContaining({ code: 'CANCELED' })],
      [expired, 'expired', expect.objectContaining({ code: 'DEADLINE_EXCEEDED' })],
      [failed, 'failed', expect.objectContaining({ message: 'the model is broken' })],
    ]);
  });
});

describe('the signature', () => {
  test('is made with every secret, so that receivers can change over one by one', async () => {
    await bench.webhooks({ webhookSecrets: [OTHER_SECRET, SECRET] });
    const receiver = await bench.receiver();
    await bench.queue.cancel(await bench.order('rotated', receiver.url()));
    const { body, headers } = await receiver.request(1);
    for (const secret of [OTHER_SECRET, SECRET]) {
      await expect(verifyWebhook(body, headers, secret)).resolves.toBeDefined();
    }
  });

  test('is made with the secret that all processes share where none is configured', async () => {
    await bench.webhooks({ webhookSecrets: [] });
    const receiver = await bench.receiver();
    await bench.queue.cancel(await bench.order('shared', receiver.url()));
    const { body, headers } = await receiver.request(1);
    const secret = await bench.queue.webhooks.secret();
    await expect(verifyWebhook(body, headers, secret)).resolves.toBeDefined();
  });
});

describe('the body', () => {
  test('leaves an output out that would make it too large, and says so', async () => {
    await bench.webhooks({ maxBodyBytes: 1000 });
    const receiver = await bench.receiver();
    bench.bench.consume('large');
    const outputs = [1, 50, 500].map(async (rows) => {
      const id = await bench.order('large', receiver.url(), { rows });
      await eventually(() => receiver.bodies.some((body) => body['id'] === id));
      return receiver.bodies.find((body) => body['id'] === id);
    });
    const [small, large, larger] = await Promise.all(outputs);
    expect(small).toMatchObject({ output: { x: [[0, 1, 2, 3]] } });
    expect(small).not.toHaveProperty('output_omitted');
    const omitted = { status: 'succeeded', output: null, output_omitted: true };
    expect(large).toMatchObject(omitted);
    expect(larger).toMatchObject(omitted);
  });

  test('is an event that names the prediction where thin ones are configured', async () => {
    await bench.webhooks({ payload: 'thin' });
    const receiver = await bench.receiver();
    const id = await bench.order('thin', receiver.url());
    bench.bench.consume('thin');
    await receiver.request(1);
    expect(receiver.bodies).toEqual([
      {
        type: 'prediction.completed',
        timestamp: expect.stringMatching(/^20.*Z$/),
        data: {
          id,
          model: 'thin',
          version: '1',
          status: 'succeeded',
          urls: expect.objectContaining({ get: `https://quern.test/v1/predictions/${id}` }),
        },
      },
    ]);
  });

  test('still says how a prediction ended that has been removed meanwhile', async () => {
    const receiver = await bench.receiver();
    const id = await bench.order('removed', receiver.url());
    bench.bench.consume('removed');
    await bench.queue.wait(id, { timeoutMs: 10_000 });
    await bench.bench.redis.del(`quern:{removed}:removed:${id}`);
    await bench.webhooks();
    await receiver.request(1);
    expect(receiver.bodies[0]).toMatchObject({
      id,
      status: 'succeeded',
      output: null,
      data_removed: true,
    });
  });
});
