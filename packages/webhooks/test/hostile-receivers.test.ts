import type { ServerResponse } from 'node:http';
import { DELIVERY_QUEUE, openBullQueue } from '@quern/queue';
import { eventually } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Answer, ok, status } from './receiver.ts';
import { WebhookBench } from './webhook-bench.ts';

let bench: WebhookBench;
beforeAll(async () => {
  bench = await WebhookBench.open();
});
afterAll(() => bench.close());

/** Answers in turn; the last answer is repeated. */
function inTurn(...answers: Answer[]): Answer {
  return (request, response, count) =>
    answers[Math.min(count, answers.length) - 1]?.(request, response, count);
}

const never: Answer = () => {};

/** A canceled prediction: the shortest way to an end. */
async function tell(url: string): Promise<string> {
  const id = await bench.order('hostile', url);
  await bench.queue.cancel(id);
  return id;
}

describe('a receiver that', () => {
  const breaksOff: Answer = (_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('only', () => response.destroy());
  };
  const hangsUp: Answer = (_request, response) => {
    response.destroy();
  };
  test.each([
    ['does not answer', never],
    ['answers 500', status(500)],
    ['hangs up', hangsUp],
    ['breaks its answer off', breaksOff],
    ['redirects', status(307, { location: 'https://example.com/' })],
    ['does not know the path', status(404)],
  ])('%s is asked again, under the same id', async (_what, fault) => {
    await bench.webhooks({ schedule: ['10ms', '10ms', '10ms'], timeoutMs: 1000 });
    const receiver = await bench.receiver(inTurn(fault, fault, ok));
    const id = await tell(receiver.url());
    await receiver.request(3);
    expect(new Set(receiver.bodies.map((body) => body['id']))).toEqual(new Set([id]));
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  test('redirects leads nowhere: its target hears nothing, and the delivery is given up', async () => {
    await bench.webhooks({ schedule: [] });
    const target = await bench.receiver();
    const receiver = await bench.receiver(status(302, { location: target.url() }));
    await tell(receiver.url());
    const reason = `${receiver.url()}: it answered 302, and redirects are not followed, at the last of 1 attempts`;
    await eventually(async () => expect(await bench.deadLetters()).toContain(reason));
    expect(target.received).toEqual([]);
  });

  test('answers without end has answered with its status', async () => {
    await bench.webhooks({ schedule: [] });
    let isCut = false;
    const receiver = await bench.receiver((_request, response) => {
      response.on('close', () => {
        isCut = true;
      });
      response.writeHead(200);
      flood(response);
    });
    await tell(receiver.url());
    await eventually(() => isCut);
    await bench.settled();
    expect(await bench.deadLetters()).not.toContainEqual(expect.stringContaining(receiver.url()));
  });

  test('asks for patience is not asked again before', async () => {
    await bench.webhooks({ schedule: ['1ms'] });
    const times: number[] = [];
    const receiver = await bench.receiver((request, response, count) => {
      times.push(performance.now());
      return inTurn(status(429, { 'retry-after': '1' }), ok)(request, response, count);
    });
    await tell(receiver.url());
    await receiver.request(2);
    // Timers may be a little early.
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(950);
  });

  test('is gone is called no more', async () => {
    await bench.webhooks({ schedule: ['1ms', '1ms'] });
    const receiver = await bench.receiver(status(410));
    await tell(receiver.url('/gone'));
    await eventually(async () =>
      expect(await bench.deadLetters()).toContain(`${receiver.url('/gone')}: it answered 410 Gone`),
    );
    await tell(receiver.url('/gone'));
    await tell(receiver.url('/other'));
    await eventually(async () =>
      expect(await bench.deadLetters()).toContain(
        `${receiver.url('/gone')}: the receiver has answered 410 Gone before`,
      ),
    );
    await eventually(() => receiver.received.length === 2);
    expect(receiver.received.map(({ path }) => path)).toEqual(['/gone', '/other']);
  });

  test('has a name that leads to this machine is never connected to', async () => {
    const receiver = await bench.receiver();
    const resolveHost = async () => [{ address: '127.0.0.1', family: 4 }];
    await bench.webhooks({ schedule: ['1ms'], egressAllow: [] }, resolveHost);
    await tell(`http://rebound.test:${receiver.port}/x`);
    await eventually(async () =>
      expect(await bench.deadLetters()).toContainEqual(
        expect.stringContaining('rebound.test has no public address (got 127.0.0.1)'),
      ),
    );
    expect(receiver.received).toEqual([]);
  });
});

test('receivers that hang do not slow others, and hold only their own places', async () => {
  await bench.webhooks({ concurrency: 12, concurrencyPerOrigin: 2, timeoutMs: 120_000 });
  const open = new Map<number, number>();
  const hanging = await Promise.all(
    [1, 2, 3].map((nth) =>
      bench.receiver(() => {
        open.set(nth, (open.get(nth) ?? 0) + 1);
      }),
    ),
  );
  for (let i = 0; i < 20; i += 1) {
    await Promise.all(hanging.map((receiver) => tell(receiver.url())));
  }
  await eventually(() => [...open.values()].filter((count) => count === 2).length === 3);
  const well = await bench.receiver();
  const ids = await Promise.all(Array.from({ length: 20 }, () => tell(well.url())));
  await well.request(20);
  expect(new Set(well.bodies.map((body) => body['id']))).toEqual(new Set(ids));
  expect([...open.values()]).toEqual([2, 2, 2]);
});

test('what only ever finds its receiver busy is given up in the end', async () => {
  const receiver = await bench.receiver(never);
  await tell(receiver.url('/first'));
  const queue = openBullQueue(bench.bench.redis, DELIVERY_QUEUE);
  onTestFinished(() => queue.close());
  await bench.webhooks({ concurrencyPerOrigin: 1, schedule: ['1h'], timeoutMs: 120_000 });
  await receiver.request(1);
  await queue.pause();
  await tell(receiver.url('/second'));
  // As if it had been due for days.
  for (const job of await queue.getJobs(['waiting'])) {
    await job.updateData({ ...job.data, sinceMs: 0 });
  }
  await queue.resume();
  await eventually(async () =>
    expect(await bench.deadLetters()).toContain(
      `${receiver.url('/second')}: the receiver was down or busy for too long`,
    ),
  );
});

function flood(response: ServerResponse): void {
  const chunk = Buffer.alloc(65_536);
  const go = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', go);
  };
  go();
}
