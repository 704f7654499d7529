import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBlobs } from '@quern/blobs';
import { eventually, TestRedis } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BlobSweeper,
  Housekeeping,
  openBullQueue,
  PayloadStore,
  PredictionQueue,
  type QueuedPrediction,
} from '../src/index.ts';
import { inputOf, resultWith, submissionTo, Workbench } from './workbench.ts';

const LONG = { timeoutMs: 20_000 };
const HOUR_MS = 3_600_000;
const MIN_BYTES = 5000;
/** 16 bytes a row, and the header. */
const LARGE = inputOf(1000);
const MIDDLE = inputOf(280);

let server: TestRedis;
let bench: Workbench;
let folder: string;
let blobs: ReturnType<typeof openBlobs>;
let queue: PredictionQueue;
let payloads: PayloadStore;
beforeAll(async () => {
  server = await TestRedis.start();
  folder = await mkdtemp(join(tmpdir(), 'quern-payloads-'));
  blobs = openBlobs({ blobStore: 'folder', blobMinBytes: MIN_BYTES, blobFolder: folder });
  bench = await Workbench.open(server.url);
  payloads = new PayloadStore(bench.redis, blobs);
  queue = await open(blobs);
});
afterAll(async () => {
  await bench.close();
  await blobs.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function open(places?: typeof blobs): Promise<PredictionQueue> {
  const opened = await PredictionQueue.open({
    redisUrl: server.url,
    name: 'test-producer',
    redisWaitMs: 10_000,
    ...(places !== undefined && { blobs: places }),
  });
  bench.defer(() => opened.close());
  return opened;
}

/** Runs as a worker does: reads the input wherever it lies, and stores it as the result. */
async function echoed({ data, input, resultKey }: QueuedPrediction) {
  const [bytes = null] = 'inline' in input ? [input.inline] : await payloads.read([input.key]);
  if (bytes === null) throw new Error('the input is gone');
  const outputKey = payloads.referenceFor(resultKey, bytes.byteLength);
  await payloads.writeResults(data.model, [{ key: outputKey, bytes }], HOUR_MS);
  return resultWith({ bytes: bytes.byteLength, outputKey });
}

/** How many blobs there are. */
async function count(): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

async function tidy(model: string): Promise<void> {
  const bull = openBullQueue(bench.redis, model);
  const { model: served } = await queue.registry.resolve(model);
  const housekeeping = new Housekeeping({
    redis: bench.redis,
    payloads,
    queues: () => [{ queue: bull, settings: served.queue }],
    onError: (error) => bench.errors.push(error),
  });
  await housekeeping.runOnce();
  await housekeeping.close();
  await bull.close();
}

describe('large payloads in a blob store', () => {
  test('come out again as they went in, and leave nothing of them in Redis', async () => {
    const target = await bench.serve(queue, 'large');
    const { prediction } = await queue.submit(submissionTo(target, { tensor: LARGE }));
    expect(await bench.redis.keys('quern:{large}.input:*')).toEqual([]);
    expect(await count()).toBe(1);
    bench.consume('large', echoed, { payloads });
    const ended = await queue.wait(prediction.id, LONG);
    expect(ended?.outputs).toEqual([LARGE]);
    expect(await bench.redis.keys('quern:{large}.result:*')).toEqual([]);
    // The result is left; the input is not needed any more.
    await eventually(async () => expect(await count()).toBe(1));
    await eventually(async () =>
      expect(await bench.redis.exists('quern:{large}.blob-inputs')).toBe(0),
    );
    await payloads.trimResults('large', 0);
    expect(await count()).toBe(0);
    expect((await queue.get(prediction.id))?.dataRemoved).toBe(true);
  });

  test('are not those below the size', async () => {
    const target = await bench.serve(queue, 'middle');
    const { prediction } = await queue.submit(submissionTo(target, { tensor: MIDDLE }));
    expect(await count()).toBe(0);
    expect(await bench.redis.keys('quern:{middle}.input:*')).toHaveLength(1);
    bench.consume('middle', echoed, { payloads });
    expect((await queue.wait(prediction.id, LONG))?.outputs).toEqual([MIDDLE]);
    expect(await count()).toBe(0);
  });

  test('are found by those who store new ones elsewhere', async () => {
    const target = await bench.serve(queue, 'moved');
    const { prediction } = await queue.submit(submissionTo(target, { tensor: LARGE }));
    bench.consume('moved', echoed, { payloads });
    await queue.wait(prediction.id, LONG);
    const places = openBlobs({ blobStore: 'redis', blobMinBytes: MIN_BYTES, blobFolder: folder });
    const other = await open(places);
    expect((await other.get(prediction.id))?.outputs).toEqual([LARGE]);
    const without = await open();
    await expect(without.get(prediction.id)).rejects.toMatchObject({
      code: 'BLOB_STORE_UNAVAILABLE',
    });
    await payloads.trimResults('moved', 0);
    await eventually(async () => expect(await count()).toBe(0));
  });

  test('of a failed prediction stay for who retries it, and go with it', async () => {
    const target = await bench.serve(queue, 'failing', { attempts: 1 });
    bench.consume(
      'failing',
      async () => {
        throw new Error('as asked');
      },
      { payloads },
    );
    // Under an id of ours: that of a client would be kept from being forgotten for a minute.
    const { prediction } = await queue.submit(submissionTo(target, { tensor: LARGE }), LONG);
    expect(prediction.status).toBe('failed');
    const { id } = prediction;
    await tidy('failing');
    expect(await count()).toBe(1);
    const age = 2 * HOUR_MS;
    await bench.redis.zincrby('quern:{failing}:failing:failed', -age, id);
    await bench.redis.zincrby('quern:{failing}.predictions', -age, id);
    await tidy('failing');
    expect(await queue.get(id)).toBeUndefined();
    expect(await count()).toBe(0);
    expect(await bench.redis.exists('quern:{failing}.blob-inputs')).toBe(0);
  });

  test('that nobody knows of any more are swept, by one worker at a time', async () => {
    await blobs.write('folder:abandoned', LARGE.data, 1);
    await eventually(async () => expect(await blobs.read('folder:abandoned')).toBeNull());
    expect(await count()).toBe(1);
    const onError = (error: Error) => bench.errors.push(error);
    const sweeper = new BlobSweeper({ redis: bench.redis, blobs, onError });
    await sweeper.runOnce();
    expect(await count()).toBe(0);
    await blobs.write('folder:abandoned', LARGE.data, 1);
    await eventually(async () => expect(await blobs.read('folder:abandoned')).toBeNull());
    await sweeper.runOnce();
    expect(await count()).toBe(1);
    await sweeper.close();
    await blobs.remove(['folder:abandoned']);
    expect(bench.errors).toEqual([]);
  });
});
