import { encodeTensors } from '@quern/contract';
import { eventually, TestRedis } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  inputFingerprint,
  type ModelTarget,
  type PredictionQueue,
  type QuarantinedInput,
  QuarantineStore,
} from '../src/index.ts';
import { inputOf, submissionTo, Workbench } from './workbench.ts';

let server: TestRedis;
beforeAll(async () => {
  server = await TestRedis.start();
});
afterAll(() => server.stop());

let bench: Workbench;
let queue: PredictionQueue;
let target: ModelTarget;
/** As a worker writes it. */
let store: QuarantineStore;
beforeEach(async () => {
  await server.client.flushall();
  bench = await Workbench.open(server.url);
  queue = await bench.producer();
  target = await bench.serve(queue, 'm');
  store = new QuarantineStore(bench.redis);
});
afterEach(() => bench.close());

const deadly = inputOf(1, 13);
const fingerprint = inputFingerprint('m', 1, encodeTensors([deadly]));

function quarantined(changes: Partial<QuarantinedInput> = {}): QuarantinedInput {
  const sinceMs = Date.now();
  return {
    fingerprint,
    version: 1,
    reason: 'signal SIGSEGV',
    sinceMs,
    untilMs: sinceMs + 600_000,
    ...changes,
  };
}

async function untilRefused(): Promise<unknown> {
  return eventually(async () => {
    const refusal = await queue.submit(submissionTo(target, { tensor: deadly })).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (refusal === undefined) throw new Error('still accepted');
    return refusal;
  });
}

async function untilAccepted(producer = queue): Promise<void> {
  await eventually(() => producer.submit(submissionTo(target, { tensor: deadly })));
}

describe('an input in quarantine', () => {
  test('is refused at the door, with since when, why and until when; others are accepted', async () => {
    const input = quarantined();
    await store.add('m', input);
    const until = new Date(input.untilMs).toISOString();
    expect(await untilRefused()).toMatchObject({
      code: 'INPUT_QUARANTINED',
      httpStatus: 422,
      retryable: false,
      message: expect.stringMatching(/signal SIGSEGV.*quern quarantine lift m /),
      details: { fingerprint, since: new Date(input.sinceMs).toISOString(), until },
    });
    expect((await queue.submit(submissionTo(target, { tensor: inputOf(1, 14) }))).created).toBe(
      true,
    );
    expect((await queue.submit(submissionTo(target, { tensor: inputOf(2, 13) }))).created).toBe(
      true,
    );
  });

  test('is refused whoever sends it and however', async () => {
    await store.add('m', quarantined());
    await untilRefused();
    const submission = submissionTo(target, { tensor: deadly });
    for (const variant of [{ id: 'mine' }, { priority: 'high' as const }, { timeoutMs: 1000 }]) {
      await expect(queue.submit({ ...submission, ...variant })).rejects.toMatchObject({
        code: 'INPUT_QUARANTINED',
      });
    }
  });

  test('is accepted again when its time is over', async () => {
    await store.add('m', quarantined());
    await untilRefused();
    await store.add('m', quarantined({ untilMs: Date.now() + 100 }));
    await untilAccepted();
    expect(await queue.operations.quarantined('m')).toEqual([]);
  });

  test('can be looked at and lifted, alone or with all of its model, for every producer', async () => {
    const other = await bench.producer();
    const first = quarantined();
    const second = quarantined({ fingerprint: 'another', sinceMs: first.sinceMs - 5 });
    await store.add('m', first);
    await store.add('m', second);
    await untilRefused();
    expect(await queue.operations.quarantined('m')).toEqual([first, second]);
    expect(await queue.operations.liftQuarantine('m', 'unknown')).toBe(0);
    expect(await queue.operations.liftQuarantine('m', fingerprint)).toBe(1);
    await untilAccepted();
    await untilAccepted(other);
    expect(await queue.operations.quarantined('m')).toEqual([second]);
    expect(await queue.operations.liftQuarantine('m')).toBe(1);
    expect(await queue.operations.quarantined('m')).toEqual([]);
  });

  test('leaves nothing in Redis when it is lifted', async () => {
    await store.countKill('m', fingerprint, 600_000);
    await store.add('m', quarantined());
    await queue.operations.liftQuarantine('m');
    const keys = await bench.redis.keys('*');
    expect(keys.filter((key) => /quarantine|kills/.test(key))).toEqual([]);
  });
});

describe('kills', () => {
  test('are counted over all workers, and forgotten', async () => {
    const elsewhere = new QuarantineStore(server.client);
    expect(await store.countKill('m', fingerprint, 60_000)).toBe(1);
    expect(await elsewhere.countKill('m', fingerprint, 60_000)).toBe(2);
    expect(await store.countKill('m', 'another', 60_000)).toBe(1);
    await elsewhere.forgetKills('m', fingerprint);
    expect(await store.countKill('m', fingerprint, 60_000)).toBe(1);
  });

  test('end by themselves', async () => {
    await store.countKill('m', fingerprint, 50);
    await eventually(async () => {
      expect((await bench.redis.keys('*kills*')).length).toBe(0);
    });
  });
});

test('no more than a thousand inputs of a model are kept, the ones whose time is up last', async () => {
  const nowMs = Date.now();
  const add = (i: number): Promise<void> =>
    store.add('m', quarantined({ fingerprint: `f${i}`, untilMs: nowMs + 600_000 + i }));
  await Promise.all(Array.from({ length: 1000 }, (_, i) => add(i)));
  for (const i of [1000, 1001, 1002]) await add(i);
  const kept = (await queue.operations.quarantined('m')).map((input) => input.fingerprint);
  expect(kept).toHaveLength(1000);
  for (const gone of ['f0', 'f1', 'f2']) expect(kept).not.toContain(gone);
});
