import { join } from 'node:path';
import { DELIVERY_QUEUE, OutboxSweep, openBullQueue } from '@quern/queue';
import { eventually, TestProcess } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Answer, ok } from './receiver.ts';
import { SECRET, WebhookBench } from './webhook-bench.ts';

/** Refuses connections. */
const NOBODY = 'http://127.0.0.1:1/';
const OUTBOX = 'quern:{~webhooks}.outbox';

let bench: WebhookBench;
beforeAll(async () => {
  bench = await WebhookBench.open();
});
afterAll(() => bench.close());

/** The ids of predictions, one for each delivery in the queue. */
async function enqueued(): Promise<string[]> {
  const queue = openBullQueue(bench.bench.redis, DELIVERY_QUEUE);
  const jobs = await queue.getJobs();
  await queue.close();
  return jobs.map(({ data }) => data.prediction.id);
}

function sweepAfter(onVanished: (model: string, id: string) => void = () => {}): OutboxSweep {
  const onError = (error: Error): void => {
    throw error;
  };
  const sweep = new OutboxSweep({ redis: bench.bench.redis, onError, onVanished });
  onTestFinished(() => sweep.close());
  return sweep;
}

describe('the outbox', () => {
  test('holds a prediction until its delivery is in the queue', async () => {
    const id = await bench.order('held', NOBODY);
    expect(await bench.bench.redis.zrange(OUTBOX, '0', '-1')).toEqual([`held/${id}`]);
    bench.bench.consume('held');
    await eventually(async () => (await bench.bench.redis.zcard(OUTBOX)) === 0);
    expect(await enqueued()).toEqual([id]);
  });

  test('gives up what whoever ended it was killed before enqueueing, once', async () => {
    const id = await bench.order('missed', NOBODY);
    await bench.queue.cancel(id);
    // What a process leaves that is killed between the end and the enqueueing.
    const queue = openBullQueue(bench.bench.redis, DELIVERY_QUEUE);
    const jobs = await queue.getJobs();
    await jobs.find(({ data }) => data.prediction.id === id)?.remove();
    await queue.close();
    await bench.bench.redis.zadd(OUTBOX, 1, `missed/${id}`);
    expect(await enqueued()).not.toContain(id);
    const sweep = sweepAfter();
    await Promise.all([sweep.runOnce(), sweepAfter().runOnce()]);
    await sweep.runOnce();
    expect((await enqueued()).filter((found) => found === id)).toEqual([id]);
    expect(await bench.bench.redis.zcard(OUTBOX)).toBe(0);
  });

  test('keeps what has not ended, however often it is looked at', async () => {
    const id = await bench.order('waits', NOBODY);
    const inAnHour = Date.now() + 3_600_000;
    await sweepAfter().runOnce(inAnHour);
    expect(Number(await bench.bench.redis.zscore(OUTBOX, `waits/${id}`))).toBeGreaterThan(inAnHour);
    await bench.queue.cancel(id);
    expect(await enqueued()).toContain(id);
    expect(await bench.bench.redis.zcard(OUTBOX)).toBe(0);
  });

  test('forgets what was never added, or is gone, and says so', async () => {
    const vanished: string[] = [];
    await bench.bench.redis.zadd(OUTBOX, 1, 'waits/never-added');
    await sweepAfter((model, id) => vanished.push(`${model} ${id}`)).runOnce();
    expect(vanished).toEqual(['waits never-added']);
    expect(await bench.bench.redis.zcard(OUTBOX)).toBe(0);
  });

  test('has nothing to do with predictions that tell nobody of their end', async () => {
    await bench.order('start-only', NOBODY, { events: ['start'] });
    expect(await bench.bench.redis.zcard(OUTBOX)).toBe(0);
  });
});

test('a process that is killed while it delivers leaves the delivery to another', async () => {
  const hold: Answer = (request, response, count) =>
    count > 1 ? ok(request, response, count) : undefined;
  const receiver = await bench.receiver(hold);
  const child = new TestProcess({
    name: 'webhooks',
    command: process.execPath,
    args: [
      ...['--conditions=@quern/source', '--import', 'tsx'],
      join(import.meta.dirname, '../src/main.ts'),
    ],
    env: {
      QUERN_REDIS_URL: bench.server.url,
      QUERN_WEBHOOKS_PORT: '0',
      QUERN_WEBHOOK_SECRETS: SECRET,
      QUERN_EGRESS_ALLOW: '127.0.0.1',
      QUERN_LOCK_DURATION_MS: '1000',
    },
  });
  onTestFinished(async () => {
    await child.stop('SIGKILL');
  });
  await child.line(/Webhooks started/);
  const id = await bench.order('killed', receiver.url());
  await bench.queue.cancel(id);
  await receiver.request(1);
  await child.stop('SIGKILL');
  await bench.webhooks({ lockDurationMs: 1000, stalledIntervalMs: 500 });
  await receiver.request(2);
  expect(receiver.bodies.map((body) => body['id'])).toEqual([id, id]);
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
}, 90_000);
