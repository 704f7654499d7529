import { readFile } from 'node:fs/promises';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { InferenceSession, Tensor } from 'onnxruntime-node';

/** The other half: a BullMQ worker that runs the model in its own process, one job at a time in a run. */
interface Body {
  readonly inputs: readonly [{ readonly shape: number[]; readonly data: number[] }];
}

const session = await InferenceSession.create(await readFile(process.env['PEER_MODEL'] ?? ''), {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});
const [inputName = ''] = session.inputNames;
const [outputName = ''] = session.outputNames;
const connection = new Redis(process.env['PEER_REDIS_URL'] ?? '', { maxRetriesPerRequest: null });

const worker = new Worker<Body>(
  'afternoon',
  async ({ data }) => {
    const [{ shape, data: values }] = data.inputs;
    const input = new Tensor('float32', Float32Array.from(values), shape);
    const output = (await session.run({ [inputName]: input }))[outputName];
    return { outputs: [{ data: Array.from((output?.data ?? []) as Float32Array) }] };
  },
  { connection, concurrency: 64 },
);
await worker.waitUntilReady();
process.stdout.write('listening\n');
