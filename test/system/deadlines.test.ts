import { afterAll, beforeAll, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { loopInput } from './loop-model.ts';
import { submit, untilStatus } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

const EXPIRED = { status: 'expired', output: null, error: { code: 'DEADLINE_EXCEEDED' } };
const TIMEOUT_MS = 300;

let running: RunningStack;

beforeAll(async () => {
  running = await startStack({
    models: [
      {
        name: 'slow',
        onnx: 'loop',
        yaml: 'batching: {mode: fixed, maxBatchSize: 1}\n',
      },
    ],
  });
});

afterAll(() => running?.stop());

it('expires what has not started when its time is over, and runs the rest', async () => {
  const { stack } = running;
  const quick = loopInput(0);
  const busy = await submit(stack, 'slow', loopInput(2));
  await untilStatus(stack, busy, 'processing');
  // The first of these is made ready behind the run; the others wait at the worker and in the queue.
  const ids = [];
  for (let i = 0; i < 6; i++) {
    ids.push(await submit(stack, 'slow', quick, { timeout_ms: i % 2 === 0 ? 60_000 : TIMEOUT_MS }));
  }
  const [patient, ...others] = await Promise.all(ids.map((id) => untilEnded(stack, id, 60_000)));
  expect(patient).toMatchObject({ status: 'succeeded' });
  for (const [i, prediction] of others.entries()) {
    expect(prediction).toMatchObject(i % 2 === 0 ? EXPIRED : { status: 'succeeded' });
  }
  expect(await untilEnded(stack, busy, 60_000)).toMatchObject({ status: 'succeeded' });
});

it('expires without a worker at the deadline, and never runs it', async () => {
  const { stack } = running;
  await stack.workers[0]?.stop();
  // Were it run, it would keep the model busy for an hour.
  const late = await submit(stack, 'slow', loopInput(3600), { timeout_ms: 200 });
  const next = await submit(stack, 'slow', loopInput(0));
  const expired = await untilEnded(stack, late, 60_000);
  expect(expired).toMatchObject({ ...EXPIRED, metrics: { attempts: 0 } });
  // 100 ms on a machine that is free; this one may be busy with other tests.
  const lateByMs = Date.parse(expired.completed_at ?? '') - Date.parse(expired.expires_at ?? '');
  expect(lateByMs).toBeGreaterThanOrEqual(0);
  expect(lateByMs).toBeLessThan(2000);
  stack.addWorker();
  expect(await untilEnded(stack, next, 60_000)).toMatchObject({ status: 'succeeded' });
  expect(await untilEnded(stack, late, 60_000)).toMatchObject(EXPIRED);
});
