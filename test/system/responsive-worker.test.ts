import { type TestProcess, workerPort } from '@quern/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { loopInput } from './loop-model.ts';
import { cancel, read, submit, untilStatus } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

/**
 * Guarantee 6: health checks, locks and cancels answer while a batch of any length runs. The bound is a
 * wide one: what matters is that it is far from the length of the run. A benchmark has the number itself.
 */
const RUN_SECONDS = 5;
const BOUND_MS = 500;
/** Shorter than the run: a lock that is not kept during it is lost several times over. */
const LOCK_MS = 1000;

let running: RunningStack;
let worker: TestProcess;

beforeAll(async () => {
  running = await startStack({
    models: [
      {
        name: 'slow',
        onnx: 'loop',
        yaml: 'batching: {mode: fixed, maxBatchSize: 2, maxQueueDelayMs: 5000}\n',
      },
    ],
    env: { QUERN_LOCK_DURATION_MS: String(LOCK_MS), QUERN_STALLED_INTERVAL_MS: '500' },
  });
  const [only] = running.stack.workers;
  if (only === undefined) throw new Error('no worker');
  worker = only;
});

afterAll(() => running?.stop());

it('answers health checks, keeps its locks and cancels while a batch runs for seconds', async () => {
  const { stack } = running;
  const input = loopInput(RUN_SECONDS);
  const [kept = '', unwanted = ''] = await Promise.all([
    submit(stack, 'slow', input),
    submit(stack, 'slow', input),
  ]);
  await Promise.all([kept, unwanted].map((id) => untilStatus(stack, id, 'processing')));

  const ending = untilEnded(stack, kept, 60_000);
  const probing = longestProbeMs(ending);
  const canceledAtMs = performance.now();
  expect(await cancel(stack, unwanted)).toMatchObject({
    status: 'canceled',
    error: { code: 'CANCELED' },
  });
  expect(performance.now() - canceledAtMs).toBeLessThan(BOUND_MS);
  // Its batch is still running.
  expect(await read(stack, kept)).toMatchObject({ status: 'processing' });

  const ended = await ending;
  expect(ended).toMatchObject({
    status: 'succeeded',
    metrics: { attempts: 1, batch_size: 2 },
  });
  expect(ended.metrics.inference_time_ms).toBeGreaterThan(LOCK_MS);
  expect(await probing).toBeLessThan(BOUND_MS);
  // The result of the run came later and changed nothing.
  expect(await read(stack, unwanted)).toMatchObject({ status: 'canceled', output: null });
});

/** Asks for the worker's health again and again, and returns what the slowest answer took. */
async function longestProbeMs(until: Promise<unknown>): Promise<number> {
  const url = `http://127.0.0.1:${await workerPort(worker)}/health/ready`;
  let isOver = false;
  const stop = (): void => {
    isOver = true;
  };
  until.then(stop, stop);
  let longestMs = 0;
  let probes = 0;
  while (!isOver) {
    const startedAtMs = performance.now();
    const response = await fetch(url);
    expect(response.status).toBe(200);
    longestMs = Math.max(longestMs, performance.now() - startedAtMs);
    probes += 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(probes).toBeGreaterThan(10);
  return longestMs;
}
