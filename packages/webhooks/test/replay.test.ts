import { eventually } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ok, status } from './receiver.ts';
import { WebhookBench } from './webhook-bench.ts';

let bench: WebhookBench;
beforeAll(async () => {
  bench = await WebhookBench.open();
});
afterAll(() => bench.close());

async function tell(url: string): Promise<void> {
  await bench.queue.cancel(await bench.order('replayed', url));
}

/** Fails until the test says that the receiver is mended. */
function mendable(code: number): { answer: Answer; mend: () => void } {
  let isMended = false;
  return {
    answer: (request, response, count) => (isMended ? ok : status(code))(request, response, count),
    mend: () => {
      isMended = true;
    },
  };
}

/** The dead letters to one receiver, once there are so many. */
function deadLetters(host: string, count: number) {
  return eventually(async () => {
    const found = await bench.queue.webhooks.list({ state: 'failed', host, limit: 100 });
    expect(found).toHaveLength(count);
    return found;
  });
}

describe('a dead letter', () => {
  test('is kept with what was tried, and delivered when it is replayed, under its id', async () => {
    await bench.webhooks({ schedule: ['1ms'] });
    const { answer, mend } = mendable(500);
    const receiver = await bench.receiver(answer);
    await tell(receiver.url());
    const [dead] = await deadLetters(receiver.host, 1);
    expect(dead).toMatchObject({ failedAttempts: 2, reason: expect.stringContaining('500') });
    const id = dead?.id ?? '';
    const { log = [] } = (await bench.queue.webhooks.get(id)) ?? {};
    expect(log).toEqual([
      expect.stringContaining('attempt 1'),
      expect.stringMatching(/given up: .*500.*2 attempts/),
    ]);
    mend();
    await bench.queue.webhooks.replay(id);
    await eventually(async () => {
      const { delivery } = (await bench.queue.webhooks.get(id)) ?? {};
      expect(delivery).toMatchObject({ state: 'delivered', failedAttempts: 0 });
    });
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(
      new Set([id]),
    );
  });

  test('has its whole schedule again', async () => {
    await bench.webhooks({ schedule: ['1ms'] });
    const receiver = await bench.receiver(status(500));
    await tell(receiver.url());
    const [dead] = await deadLetters(receiver.host, 1);
    await bench.queue.webhooks.replay(dead?.id ?? '');
    await receiver.request(4);
    await deadLetters(receiver.host, 1);
  });

  test('to a receiver that was gone opens it again', async () => {
    await bench.webhooks({ schedule: [] });
    const { answer, mend } = mendable(410);
    const receiver = await bench.receiver(answer);
    await tell(receiver.url());
    await deadLetters(receiver.host, 1);
    await tell(receiver.url());
    const [, first] = await deadLetters(receiver.host, 2);
    expect(receiver.received).toHaveLength(1);
    mend();
    await bench.queue.webhooks.replay(first?.id ?? '');
    await receiver.request(2);
    await tell(receiver.url());
    await receiver.request(3);
  });
});

test('all dead letters of a host are replayed, and no other', async () => {
  await bench.webhooks({ schedule: [] });
  const { answer, mend } = mendable(500);
  const receiver = await bench.receiver(answer);
  const other = await bench.receiver(status(404));
  for (let i = 0; i < 3; i += 1) await tell(receiver.url(`/${i}`));
  await tell(other.url());
  await deadLetters(receiver.host, 3);
  await deadLetters(other.host, 1);
  mend();
  expect(await bench.queue.webhooks.replayFailed(receiver.host)).toBe(3);
  await receiver.request(6);
  await deadLetters(receiver.host, 0);
  expect(other.received).toHaveLength(1);
});

test('what waits for its next attempt is tried at once', async () => {
  await bench.webhooks({ schedule: ['1h'] });
  const { answer, mend } = mendable(500);
  const receiver = await bench.receiver(answer);
  await tell(receiver.url());
  const { host } = receiver;
  const waiting = await eventually(async () => {
    const [found] = await bench.queue.webhooks.list({ state: 'waiting', host, limit: 1 });
    expect(found).toMatchObject({ failedAttempts: 1 });
    return found;
  });
  expect((waiting?.nextAttemptAtMs ?? 0) - Date.now()).toBeGreaterThan(3_000_000);
  mend();
  await bench.queue.webhooks.replay(waiting?.id ?? '');
  await receiver.request(2);
});
