import type { WirePrediction } from '@quern/contract';
import { eventually } from '@quern/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { submit } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

/** Two megabytes of numbers in, the same out. */
const LENGTH = 262_144;
const NUMBERS = Array.from({ length: LENGTH }, (_, i) => (i % 2 === 0 ? 1 : -1) * 1.5 ** (i % 300));
const BYTES = NUMBERS.length * 8;
const JOB_LIMIT_BYTES = 8192;
/** What a board shows of a job: a summary, whatever its size. */
const BOARD_LIMIT_BYTES = 20_000;

let running: RunningStack;
let id: string;
let ended: WirePrediction;

beforeAll(async () => {
  running = await startStack({
    models: [
      { name: 'wide', onnx: 'identity-fp64' },
      { name: 'broken-run', onnx: 'halves' },
    ],
    dashboard: true,
  });
  id = await submit(running.stack, 'wide', { x: floats(NUMBERS) });
  ended = await untilEnded(running.stack, id, 60_000);
});

afterAll(() => running?.stop());

it('answers a large input right', () => {
  expect(ended).toMatchObject({ status: 'succeeded', data_removed: false });
  const { y } = ended.output as { y: { shape: number[]; b64: string } };
  expect(y.shape).toEqual([1, LENGTH]);
  expect(Buffer.from(y.b64, 'base64').equals(bytesOf(NUMBERS))).toBe(true);
});

it('keeps the payloads out of the job', async () => {
  const { client } = running.redis;
  const job = await client.hgetall(`quern:{wide}:wide:${id}`);
  expect(JSON.stringify(job).length).toBeLessThan(JOB_LIMIT_BYTES);
  const result = JSON.parse(job['returnvalue'] ?? '{}') as { bytes: number; key: string };
  expect(result.bytes).toBeGreaterThan(BYTES);
  expect(await client.strlen(result.key)).toBe(result.bytes);
  // The result ends with its retention, were it never read.
  expect(await client.pttl(result.key)).toBeGreaterThan(0);
});

it('removes the input once it is not needed any more', async () => {
  await eventually(async () => expect(await inputKeys('wide')).toEqual([]));
});

it('keeps the input of a prediction that failed, for an operator who retries it', async () => {
  const { stack, redis } = running;
  // This model takes even lengths only.
  const odd = await submit(stack, 'broken-run', {
    x: { shape: [1, 3001], datatype: 'FP32', b64: Buffer.alloc(4 * 3001).toString('base64') },
  });
  expect(await untilEnded(stack, odd, 60_000)).toMatchObject({
    status: 'failed',
    error: { code: 'INFERENCE_FAILED' },
  });
  const [key = ''] = await inputKeys('broken-run');
  expect(key).toContain(odd);
  expect(await redis.client.pttl(key)).toBeGreaterThan(0);
});

it('never comes to the board', async () => {
  const { dashboardUrl } = running.stack;
  for (const path of [
    '/api/queues?activeQueue=wide&status=completed&page=1&jobsPerPage=10',
    `/api/queues/wide/${id}`,
  ]) {
    const response = await fetch(`${dashboardUrl}${path}`);
    expect(response.status).toBe(200);
    const text = await response.text();
    expect(text).toContain(id);
    expect(text.length).toBeLessThan(BOARD_LIMIT_BYTES);
  }
});

async function inputKeys(model: string): Promise<string[]> {
  return running.redis.client.keys(`quern:{${model}}.input:*`);
}

function bytesOf(numbers: readonly number[]): Buffer {
  return Buffer.from(Float64Array.from(numbers).buffer);
}

function floats(numbers: readonly number[]): unknown {
  return {
    shape: [1, numbers.length],
    datatype: 'FP64',
    b64: bytesOf(numbers).toString('base64'),
  };
}
