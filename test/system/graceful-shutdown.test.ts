import { eventually, type TestProcess } from '@quern/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { loopInput } from './loop-model.ts';
import { read, submit, untilStatus } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

const BATCH = 4;
/** The batch that runs and the one made ready behind it may stay with a worker that stops. */
const MOST_KEPT = 2 * BATCH;
/** What one worker fetches: the kept ones and the next batch. */
const HELD = 3 * BATCH;
const SUCCESS = { status: 'succeeded', error: null };

let running: RunningStack;

beforeEach(async () => {
  running = await startStack({
    models: [
      { name: 'slow', onnx: 'loop', yaml: `batching: {mode: fixed, maxBatchSize: ${BATCH}}\n` },
    ],
    // Nothing in these tests may come about by a lock that runs out.
    env: { QUERN_LOCK_DURATION_MS: '600000', QUERN_STALLED_INTERVAL_MS: '600000' },
  });
});

afterEach(() => running?.stop());

it('on SIGTERM gives back what has not started within a second, and fails nothing', async () => {
  const { stack } = running;
  const ids = await submitBehindSlowRun(2 * HELD, 2);
  await eventually(async () => (await activeCount()) === HELD);

  const first = onlyWorker();
  const stoppedAtMs = performance.now();
  first.kill('SIGTERM');
  await eventually(async () => (await activeCount()) <= MOST_KEPT, 5000);
  expect(performance.now() - stoppedAtMs).toBeLessThan(1000);
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(await activeCount()).toBe(0);

  stack.addWorker();
  await expectSuccess(ids);
});

it('hands what it gives back to a worker that is idle just then', async () => {
  const { stack } = running;
  const first = onlyWorker();
  const ids = await submitBehindSlowRun(HELD, 6);
  await eventually(async () => (await activeCount()) === HELD);
  const second = stack.addWorker();
  await stack.untilModelsSettled();

  first.kill('SIGTERM');
  const givenBack = await eventually(async () => {
    const moved = await fetchedBy(second, ids);
    expect(moved.length).toBeGreaterThanOrEqual(HELD - MOST_KEPT);
    return moved;
  });
  for (const id of givenBack) expect(await untilEnded(stack, id, 30_000)).toMatchObject(SUCCESS);
  // All that while the first one was still at its last run.
  expect(await read(stack, ids[0] ?? '')).toMatchObject({ status: 'processing' });
  await expectSuccess(ids);
  expect(await first.exited).toEqual({ code: 0, signal: null });
});

/** A prediction that keeps the model busy, and quick ones that come while it does. */
async function submitBehindSlowRun(count: number, seconds: number): Promise<string[]> {
  const { stack } = running;
  const slow = await submit(stack, 'slow', loopInput(seconds));
  await untilStatus(stack, slow, 'processing');
  const quick = Array.from({ length: count - 1 }, () => submit(stack, 'slow', loopInput(0.01)));
  return [slow, ...(await Promise.all(quick))];
}

async function expectSuccess(ids: readonly string[]): Promise<void> {
  const ended = await Promise.all(ids.map((id) => untilEnded(running.stack, id, 60_000)));
  for (const prediction of ended) expect(prediction).toMatchObject(SUCCESS);
}

function activeCount(): Promise<number> {
  return running.redis.client.llen('quern:{slow}:slow:active');
}

/** The predictions that a worker was the last to fetch. */
async function fetchedBy(worker: TestProcess, ids: readonly string[]): Promise<string[]> {
  const { client } = running.redis;
  const owners = await Promise.all(ids.map((id) => client.hget(`quern:{slow}:slow:${id}`, 'pb')));
  return ids.filter((_, i) => owners[i]?.endsWith(`-${worker.pid}`));
}

function onlyWorker(): TestProcess {
  const [worker] = running.stack.workers;
  if (worker === undefined) throw new Error('no worker');
  return worker;
}
