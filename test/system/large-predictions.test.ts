import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXAMPLE_MODELS, eventually, type TestProcess, workerPort } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { submitMany, tallyOutcomes, untilEnded } from './load.ts';
import { cancel, submit } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';
import { distance, readSamples } from './samples.ts';

/** Predictions of more rows than a batch or of unequal lengths, and batches that need more memory than there is. */
const ROWS = 10_000;
/** Batches wait long for company here, so that what is sent together runs together. */
const COMPANY = 'maxQueueDelayMs: 2000';

/** So many predictions of each bucket fill a batch. */
const BATCH_OF_LENGTHS = 12;
/** The padding would change every mean, were it not for the mask. */
const PADDED_YAML = `batching: {mode: fixed, maxBatchSize: ${BATCH_OF_LENGTHS}, ${COMPANY}}
inputs:
  x: {padding: {1: {buckets: [4, 16], value: 99}}}
  mask: {maskOf: x}
outputs:
  running: {cutBack: {1: {like: x.1}}}
`;

let running: RunningStack;
let worker: TestProcess;

beforeAll(async () => {
  running = await startStack({
    models: [
      {
        name: 'digits',
        onnx: await readFile(join(EXAMPLE_MODELS, 'digits/1/model.onnx')),
        yaml: `batching: {maxBatchSize: 64, maxRowsPerPrediction: ${ROWS}}\n`,
      },
      { name: 'table', onnx: 'gather', yaml: 'batching: {mode: fixed, maxBatchSize: 16}\n' },
      { name: 'means', onnx: 'masked-mean', yaml: PADDED_YAML },
      { name: 'slow', onnx: 'loop', yaml: 'batching: {mode: fixed, maxBatchSize: 2}\n' },
      {
        name: 'roomy',
        onnx: 'roomy',
        yaml: `batching: {mode: fixed, maxBatchSize: 64, ${COMPANY}}\nqueue: {attempts: 1}\n`,
      },
    ],
  });
  const [only] = running.stack.workers;
  if (only === undefined) throw new Error('no worker');
  worker = only;
});

afterAll(() => running?.stop());

describe('a prediction of more rows than a batch', () => {
  it('is answered row for row beside small ones', async () => {
    const { stack } = running;
    const samples = await readSamples('digits');
    const images = samples.flatMap(({ input }) => input['image'] as number[][][][]);
    const answers = samples.flatMap(({ expected }) => expected['probabilities'] as number[][]);
    const data = Float32Array.from(
      Array.from({ length: ROWS }, (_, i) => images[i % images.length]).flat(4) as number[],
    );
    const image = {
      shape: [ROWS, 1, 8, 8],
      datatype: 'FP32',
      b64: Buffer.from(data.buffer).toString('base64'),
    };
    const large = await submit(stack, 'digits', { image });
    const small = await submitMany(stack, { model: 'digits', samples, count: 100, callers: 8 });
    expect(await tallyOutcomes(stack, small, 30_000)).toEqual({ succeeded: 100 });

    const ended = await untilEnded(stack, large, 60_000);
    expect(ended).toMatchObject({ status: 'succeeded', metrics: { attempts: 1 } });
    const { probabilities } = ended.output as { probabilities: { shape: number[]; b64: string } };
    expect(probabilities.shape).toEqual([ROWS, 10]);
    const bytes = Buffer.from(probabilities.b64, 'base64');
    const rowAt = (row: number) =>
      Array.from({ length: 10 }, (_, i) => bytes.readFloatLE(4 * (10 * row + i)));
    for (let row = 0; row < ROWS; row += 97) {
      expect(distance(rowAt(row), answers[row % answers.length]), `row ${row}`).toBeLessThan(1e-4);
    }
    expect(await summaryOf('digits', large)).toMatchObject({
      parts: { count: expect.any(Number), batches: expect.any(Number) },
    });
    await expectNothingLeft('digits', [large]);
  });

  it('is refused at the door if it has more rows than one may have', async () => {
    const index = Array<number>(16 * 32 + 1).fill(0);
    const response = await running.stack.post('/v1/models/table/predictions', { input: { index } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: 'INVALID_INPUT', message: expect.stringContaining('expected 1 to 512') },
    });
  });

  it('fails with the row that the model refuses; those in its batches succeed', async () => {
    const { stack } = running;
    const index = Array.from({ length: 100 }, (_, i) => (i === 70 ? 1000 : i % 10));
    const [bad, good] = await Promise.all([
      submit(stack, 'table', { index }),
      submit(stack, 'table', { index: index.map((i) => i % 10) }),
    ]);
    const failed = await untilEnded(stack, bad, 30_000);
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'INFERENCE_FAILED' } });
    expect(failed.error?.message).toMatch(
      /^row 70 of 100 \(counted from 0\) failed: .*1000.* other rows had succeeded/,
    );
    const ended = await untilEnded(stack, good, 30_000);
    const expected = index.map((i) => [2 * (i % 10), 2 * (i % 10) + 1]);
    expect(ended).toMatchObject({ status: 'succeeded', output: { y: expected } });
    await expectNothingLeft('table', [bad, good]);
  });

  it('stops running when it is canceled', async () => {
    const { stack } = running;
    // Each of its 20 parts takes a quarter of a second.
    const rows = Array.from({ length: 40 }, () => Array<number>(16).fill(0.5));
    const id = await submit(stack, 'slow', { x: rows, trips: rows.map(() => [100_000]) });
    await eventually(async () => expect(await batchesOf('slow')).toBeGreaterThan(0));
    expect(await cancel(stack, id)).toMatchObject({ status: 'canceled' });
    const after = await submit(stack, 'slow', { x: rows.slice(0, 1), trips: [[1]] });
    expect(await untilEnded(stack, after, 30_000)).toMatchObject({ status: 'succeeded' });
    expect(await batchesOf('slow')).toBeLessThan(12);
    await expectNothingLeft('slow', [id]);
  });
});

describe('predictions of unequal lengths', () => {
  it('share batches, and are answered as if each had run alone', async () => {
    const { stack } = running;
    const lengths = [1, 2, 3, 4, 5, 7, 11, 16].flatMap((length) => [length, length, length]);
    const rows = lengths.map((length, i) => Array.from({ length }, (_, place) => i + place));
    const ids = await Promise.all(rows.map((row) => submit(stack, 'means', { x: [row] })));
    for (const [i, id] of ids.entries()) {
      const row = rows[i] ?? [];
      const sums = row.map((_, place) => sum(row.slice(0, place + 1)));
      expect(await untilEnded(stack, id, 30_000)).toMatchObject({
        status: 'succeeded',
        output: { mean: [expect.closeTo(sum(row) / row.length, 4)], running: [sums] },
      });
    }
    // Two, if all of them came within the wait for company.
    expect(await batchesOf('means')).toBeLessThan(rows.length / 2);
    const padding = await metric(
      /quern_worker_batch_padding_ratio_sum\{[^}]*means[^}]*\} ([\d.]+)/,
    );
    expect(padding).toBeGreaterThan(0);
  });

  it('run at their own length if no bucket is long enough', async () => {
    const row = Array.from({ length: 17 }, (_, place) => place);
    const id = await submit(running.stack, 'means', { x: [row] });
    expect(await untilEnded(running.stack, id, 30_000)).toMatchObject({
      status: 'succeeded',
      output: { mean: [8], running: [row.map((_, place) => sum(row.slice(0, place + 1)))] },
    });
  });
});

describe('a batch that needs more memory than there is', () => {
  it('is run in parts, and later ones are small enough at once', async () => {
    const { stack } = running;
    const ids = await Promise.all(
      Array.from({ length: 64 }, (_, i) => submit(stack, 'roomy', { x: [[i]] })),
    );
    for (const [i, id] of ids.entries()) {
      expect(await untilEnded(stack, id, 30_000)).toMatchObject({
        status: 'succeeded',
        output: { y: [[2 * i]] },
        metrics: { attempts: 1 },
      });
    }
    await worker.line(/Batches are kept within what memory has room for/);
    const cap = await metric(/quern_worker_max_batch_elements\{[^}]*model="roomy"[^}]*\} (\d+)/);
    expect(cap).toBeGreaterThanOrEqual(1);
    expect(cap).toBeLessThanOrEqual(8);
    const faults = await metric(/quern_worker_run_faults_total\{[^}]*OUT_OF_MEMORY[^}]*\} (\d+)/);
    expect(faults).toBeGreaterThan(0);

    // Larger than the cap now, though no more than a batch.
    const x = Array.from({ length: 30 }, (_, i) => [i]);
    const several = await submit(stack, 'roomy', { x });
    expect(await untilEnded(stack, several, 30_000)).toMatchObject({
      status: 'succeeded',
      output: { y: x.map(([value = 0]) => [2 * value]) },
    });
    expect(await metric(/quern_worker_run_faults_total\{[^}]*OUT_OF_MEMORY[^}]*\} (\d+)/)).toBe(
      faults,
    );
  });

  it('fails only the row that does not fit by itself', async () => {
    const { stack } = running;
    const x = Array.from({ length: 30 }, (_, i) => [i === 11 ? 5000 : i]);
    const [bad, good] = await Promise.all([
      submit(stack, 'roomy', { x }),
      submit(stack, 'roomy', { x: [[4]] }),
    ]);
    const failed = await untilEnded(stack, bad, 30_000);
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'OUT_OF_MEMORY' } });
    expect(failed.error?.message).toMatch(/^row 11 of 30 /);
    expect(await untilEnded(stack, good, 30_000)).toMatchObject({ output: { y: [[8]] } });
    await expectNothingLeft('roomy', [bad, good]);
  });
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

async function summaryOf(model: string, id: string): Promise<unknown> {
  const job = await running.redis.client.hget(`quern:{${model}}:${model}:${id}`, 'returnvalue');
  return JSON.parse(job ?? '{}');
}

/** No result of a part is left in Redis. */
async function expectNothingLeft(model: string, ids: readonly string[]): Promise<void> {
  await eventually(async () => {
    for (const id of ids) {
      expect(await running.redis.client.keys(`quern:{${model}}.result:${id}:*:row-*`)).toEqual([]);
    }
  });
}

async function batchesOf(model: string): Promise<number> {
  return metric(new RegExp(`quern_worker_batch_rows_count\\{[^}]*model="${model}"[^}]*\\} (\\d+)`));
}

/** A number on the worker's metrics page; 0 if it is not there. */
async function metric(pattern: RegExp): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${await workerPort(worker)}/metrics`)).text();
  return Number(pattern.exec(page)?.[1] ?? 0);
}
