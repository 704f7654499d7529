import { eventually } from '@quern/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { status } from './receiver.ts';
import { WebhookBench } from './webhook-bench.ts';

let bench: WebhookBench;
beforeAll(async () => {
  bench = await WebhookBench.open();
});
afterAll(() => bench.close());

test('the first scrape says how deliveries stand, also while Redis is away', async () => {
  const { port } = await bench.webhooks({ schedule: [] });
  const receiver = await bench.receiver(status(500));
  await bench.queue.cancel(await bench.order('metered', receiver.url()));
  await eventually(async () => expect(await bench.deadLetters()).toHaveLength(1));
  const scrape = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(await scrape()).toMatch(/^quern_webhook_dead_letters\{.*\} 1$/m);
  await bench.server.kill();
  await eventually(async () => {
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`);
    expect(ready.status).toBe(503);
  });
  expect(await scrape()).toMatch(
    /^quern_webhook_deliveries_total\{event="completed",outcome="dead",.*\} 1$/m,
  );
  await bench.server.start();
  await eventually(() => bench.queue.ping().then(() => true));
});
