import { childPids, eventually, type TestProcess, workerPort } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { loopInput } from './loop-model.ts';
import { read, submit, untilStatus } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

/** Guarantee 3: a model's fault stays in its runner, and one client's bad input fails alone. */
const TABLE_BATCH = 64;
const ATTEMPTS = 2;
/** Batches wait long for company here, so that what is sent together runs together. */
const COMPANY = 'maxQueueDelayMs: 2000';

let running: RunningStack;
let worker: TestProcess;

beforeAll(async () => {
  running = await startStack({
    models: [
      {
        name: 'table',
        onnx: 'gather',
        yaml: `batching: {mode: fixed, maxBatchSize: ${TABLE_BATCH}, ${COMPANY}}\n`,
      },
      {
        name: 'slow',
        onnx: 'loop',
        yaml: `batching: {mode: fixed, maxBatchSize: 8, ${COMPANY}}\n`,
      },
      {
        name: 'hangs',
        onnx: 'loop',
        yaml: `batching: {mode: fixed, maxBatchSize: 8, ${COMPANY}}
runTimeoutMs: 1500
queue: {attempts: ${ATTEMPTS}}
`,
      },
    ],
  });
  const [only] = running.stack.workers;
  if (only === undefined) throw new Error('no worker');
  worker = only;
});

// Whatever happens to its runners, the worker lives on.
afterEach(() => expect(worker.exit).toBeUndefined());
afterAll(() => running?.stop());

it('fails one prediction that the model throws for, and answers its 63 neighbours', async () => {
  const { stack } = running;
  const indexOf = (i: number): number => (i === 17 ? 1000 : i % 10);
  const ids = await Promise.all(
    Array.from({ length: TABLE_BATCH }, (_, i) => submit(stack, 'table', { index: [indexOf(i)] })),
  );
  const ended = await Promise.all(ids.map((id) => untilEnded(stack, id, 30_000)));
  for (const [i, prediction] of ended.entries()) {
    if (i === 17) continue;
    const row = 2 * indexOf(i);
    expect(prediction).toMatchObject({ status: 'succeeded', output: { y: [[row, row + 1]] } });
  }
  expect(ended[17]).toMatchObject({ status: 'failed', error: { code: 'INFERENCE_FAILED' } });
  expect(ended[17]?.error?.message).toMatch(/1000/);
  // It was one batch, which was taken apart to find the one at fault.
  const metrics = await (
    await fetch(`http://127.0.0.1:${await workerPort(worker)}/metrics`)
  ).text();
  expect(metrics).toMatch(/quern_worker_reruns_total\{model="table",[^}]*\} [1-9]/);
});

it('answers every prediction of a batch whose runner is killed in mid-run', async () => {
  const { stack } = running;
  const input = loopInput(0.7);
  const ids = await Promise.all(Array.from({ length: 8 }, () => submit(stack, 'slow', input)));
  await Promise.all(ids.map((id) => untilStatus(stack, id, 'processing')));
  const killed = await killRunners();
  expect(killed).toHaveLength(3);

  for (const id of ids) {
    expect(await untilEnded(stack, id, 60_000)).toMatchObject({
      status: 'succeeded',
      metrics: { attempts: 1 },
    });
  }
  await eventually(async () => expect(await childPids(worker.pid)).toHaveLength(3));
  expect(await childPids(worker.pid)).not.toEqual(expect.arrayContaining(killed));
});

it('fails a prediction that hangs with RUN_TIMEOUT, and answers its neighbours and successors', async () => {
  const { stack } = running;
  const [hanging = '', ...neighbours] = await Promise.all(
    Array.from({ length: 8 }, (_, i) => submit(stack, 'hangs', loopInput(i === 0 ? 3600 : 0.01))),
  );
  for (const id of neighbours) {
    // The batch took the neighbours with it once; then they ran without the one at fault.
    expect(await untilEnded(stack, id, 60_000)).toMatchObject({
      status: 'succeeded',
      metrics: { attempts: 2 },
    });
  }
  const failed = await untilEnded(stack, hanging, 60_000);
  expect(failed).toMatchObject({
    status: 'failed',
    error: { code: 'RUN_TIMEOUT' },
    metrics: { attempts: ATTEMPTS },
  });
  expect(failed.error?.message).toMatch(/1500 ms/);

  const later = await submit(stack, 'hangs', loopInput(0.01));
  expect(await untilEnded(stack, later, 60_000)).toMatchObject({ status: 'succeeded' });
  // An end is an end.
  expect(await read(stack, hanging)).toEqual(failed);
});

/** Ends every process that the worker has started. */
async function killRunners(): Promise<number[]> {
  const pids = await childPids(worker.pid);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  return pids;
}
