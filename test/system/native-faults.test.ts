import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childPids, eventually, type TestProcess, workerPort } from '@quern/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { submit } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

/** What one input, or one broken process, can do to others: nothing. */
const BATCH = 64;
const PRELOAD = fileURLToPath(new URL('./faulty-onnx-runtime.cjs', import.meta.url));
const KILLER = { a: [[666, 0, 0]], b: [[1, 1, 1]] };

let directory: string;
let running: RunningStack;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quern-faults-'));
  const env = {
    NODE_OPTIONS: `--require ${PRELOAD}`,
    QUERN_TEST_LOST_DEVICE: join(directory, 'lost-device'),
  };
  const yaml = `batching: {mode: fixed, maxBatchSize: ${BATCH}, maxQueueDelayMs: 300}\n`;
  running = await startStack({ models: [{ name: 'add', onnx: 'add', yaml }], env });
});
afterAll(async () => {
  await running?.stop();
  await rm(directory, { recursive: true, force: true });
});

function good(i: number): { a: number[][]; b: number[][] } {
  return { a: [[i, i, i]], b: [[1, 2, 3]] };
}

interface WorkerView {
  readonly models: readonly {
    readonly versions: readonly { readonly state: string; readonly reason?: string }[];
  }[];
}

async function versionOn(worker: TestProcess) {
  const response = await fetch(`http://127.0.0.1:${await workerPort(worker)}/health/ready`);
  const { models } = (await response.json()) as WorkerView;
  return models[0]?.versions[0];
}

async function metricOn(worker: TestProcess, name: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${await workerPort(worker)}/metrics`);
  return Number(new RegExp(`^${name}\\{.*\\} (\\d+)`, 'm').exec(await response.text())?.[1] ?? 0);
}

function onlyWorker(): TestProcess {
  const [worker] = running.stack.workers;
  if (worker === undefined) throw new Error('no worker');
  return worker;
}

it('fails an input that kills the runner alone among 63 good ones, and refuses it from then on', async () => {
  const { stack } = running;
  const ids = await Promise.all(
    Array.from({ length: BATCH - 1 }, (_, i) => submit(stack, 'add', good(i))),
  );
  const killer = await submit(stack, 'add', KILLER);
  for (const [i, id] of ids.entries()) {
    expect(await untilEnded(stack, id, 30_000)).toMatchObject({
      status: 'succeeded',
      output: { sum: [[i + 1, i + 2, i + 3]] },
    });
  }
  // It killed twice by itself; the third attempt was not made.
  expect(await untilEnded(stack, killer, 30_000)).toMatchObject({
    status: 'failed',
    error: { code: 'INPUT_QUARANTINED', retryable: false },
    metrics: { attempts: 2 },
  });
  const worker = onlyWorker();
  expect(await metricOn(worker, 'quern_worker_quarantined_inputs_total')).toBe(1);
  expect(await metricOn(worker, 'quern_worker_bisected_batches_total')).toBe(1);
  expect(await versionOn(worker)).toEqual({ version: 1, state: 'ready' });

  const refused = await stack.post('/v1/models/add/predictions', { input: KILLER });
  expect(refused.status).toBe(422);
  const { error } = (await refused.json()) as {
    error: { code: string; message: string; details: { fingerprint: string } };
  };
  expect(error.code).toBe('INPUT_QUARANTINED');
  expect(error.message).toMatch(/SIGSEGV/);
  const { fingerprint } = error.details;
  expect(await stack.get('/v1/models/add/quarantine')).toMatchObject({
    results: [{ fingerprint, version: '1' }],
  });
  const lift = await stack.post('/v1/models/add/quarantine/lift', { fingerprint });
  expect(await lift.json()).toEqual({ lifted: 1 });
  // Accepted again: it is somebody's decision.
  const again = await submit(stack, 'add', KILLER);
  await stack.post(`/v1/predictions/${again}/cancel`, {});
});

it('takes out a model that fails for everything, lets others serve, and brings it back by new processes', async () => {
  const { stack } = running;
  const broken = onlyWorker();
  const sound = stack.addWorker();
  await stack.untilModelsSettled();
  await eventually(async () => expect(await childPids(broken.pid)).toHaveLength(1));
  const [pid] = await childPids(broken.pid);
  await writeFile(join(directory, 'lost-device'), String(pid));

  const ids: string[] = [];
  const state = await eventually(async () => {
    ids.push(await submit(stack, 'add', good(ids.length)));
    const version = await versionOn(broken);
    if (version?.state !== 'unhealthy') throw new Error(`it is ${version?.state}`);
    return version;
  }, 30_000);
  expect(state.reason).toMatch(/it has run before.*the device is lost/);
  expect(await metricOn(broken, 'quern_worker_breaker_openings_total')).toBe(1);

  // Whatever it held, the other worker runs.
  const later = await Promise.all([0, 1, 2, 3].map((i) => submit(stack, 'add', good(i))));
  for (const id of later) {
    expect(await untilEnded(stack, id, 30_000)).toMatchObject({ status: 'succeeded' });
  }
  expect((await versionOn(sound))?.state).toBe('ready');
  await eventually(async () => expect((await versionOn(broken))?.state).toBe('ready'), 30_000);
  expect(await childPids(broken.pid)).not.toContain(pid);
  const ended = await Promise.all(ids.map((id) => untilEnded(stack, id, 30_000)));
  // Until three in a row had failed nobody could know that it was not their fault.
  const failed = ended.filter(({ status }) => status !== 'succeeded');
  expect(failed.length).toBeLessThanOrEqual(2);
});
