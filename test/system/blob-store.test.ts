import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@quern/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { submit } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

const LENGTH = 20_000;
const NUMBERS = Float64Array.from({ length: LENGTH }, (_, i) => i / 3);
const INPUT = {
  x: {
    shape: [1, LENGTH],
    datatype: 'FP64',
    b64: Buffer.from(NUMBERS.buffer).toString('base64'),
  },
};

let place: string;
let folder: string;
let running: RunningStack;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'quern-blob-store-'));
  folder = join(place, 'blobs');
  running = await startStack({
    models: [{ name: 'wide', onnx: 'identity-fp64' }],
    env: {
      QUERN_BLOB_STORE: 'folder',
      QUERN_BLOB_FOLDER: folder,
      QUERN_BLOB_MIN_BYTES: '100000',
    },
  });
});
afterAll(async () => {
  await running?.stop();
  await rm(place, { recursive: true, force: true });
});

/** How many blobs are in a folder. */
async function count(where: string): Promise<number> {
  const entries = await readdir(where, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

async function expectEcho(id: string): Promise<void> {
  const ended = await untilEnded(running.stack, id, 60_000);
  expect(ended).toMatchObject({ status: 'succeeded', data_removed: false });
  const { y } = ended.output as { y: { b64: string } };
  expect(Buffer.from(y.b64, 'base64').equals(Buffer.from(NUMBERS.buffer))).toBe(true);
}

it('runs a large prediction whose payloads never lie in Redis', async () => {
  const id = await submit(running.stack, 'wide', INPUT);
  await expectEcho(id);
  const { client } = running.redis;
  expect(await client.keys('quern:{wide}.input:*')).toEqual([]);
  expect(await client.keys('quern:{wide}.result:*')).toEqual([]);
  // The result; the input has gone with the end of its prediction.
  await eventually(async () => expect(await count(folder)).toBe(1));
});

it('waits for a storage that is away, and says so to those who bring something new', async () => {
  const { stack } = running;
  const [worker] = stack.workers;
  worker?.kill('SIGSTOP');
  const id = await submit(stack, 'wide', INPUT);
  const away = join(place, 'away');
  await rename(folder, away);
  await writeFile(folder, 'no folder');
  worker?.kill('SIGCONT');
  const refused = await stack.post('/v1/predictions', { model: 'wide', input: INPUT });
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ error: { code: 'BLOB_STORE_UNAVAILABLE' } });
  const { client } = running.redis;
  // It has come back to the queue, and was taken again.
  await eventually(async () =>
    expect(Number(await client.hget(`quern:{wide}:wide:${id}`, 'ats'))).toBeGreaterThan(1),
  );
  await rm(folder);
  await rename(away, folder);
  await expectEcho(id);
});
