import { decodeTensors, encodeBytesElements, encodeTensors, type Tensor } from '@quern/contract';
import {
  CancelListener,
  Consumer,
  connectRedis,
  type JobResult,
  PayloadStore,
  type QueuedPrediction,
} from '@quern/queue';

type Echo = (inputs: Tensor[], prediction: QueuedPrediction) => Tensor[] | Promise<Tensor[]>;

/** Gives `x` back as `y`; other inputs under their own names, beside a text. */
export const echo: Echo = (inputs) => [
  ...inputs.map((tensor) => ({ ...tensor, name: tensor.name === 'x' ? 'y' : tensor.name })),
  ...inputs
    .filter(({ name }) => name === 'n')
    .map(({ shape }) => ({
      name: 'text',
      datatype: 'BYTES' as const,
      shape,
      data: encodeBytesElements(new Array<string>(shape[0] ?? 0).fill('ein Wört')),
    })),
];

/** Takes the predictions of one model from the queue and answers them without a model. */
export async function startEchoWorker(
  redisUrl: string,
  model: string,
  answer: Echo = echo,
): Promise<{ close: () => Promise<void> }> {
  const onError = (): void => {};
  const connect = (role: 'worker' | 'subscriber') =>
    connectRedis({ url: redisUrl, role, name: `echo-${role}`, waitMs: 5000, onError });
  const redis = await connect('worker');
  const subscriber = await connect('subscriber');
  const payloads = new PayloadStore(redis);
  const consumer = new Consumer({
    redis,
    model,
    workerName: 'echo',
    concurrency: 64,
    lockDurationMs: 30_000,
    stalledIntervalMs: 30_000,
    handler: async (prediction) => {
      const { input } = prediction;
      const [bytes] = 'inline' in input ? [input.inline] : await payloads.read([input.key]);
      const outputs = await answer(decodeTensors(bytes ?? new Uint8Array()), prediction);
      const wanted = prediction.data.outputs;
      const named = outputs.filter(({ name }) => wanted === undefined || wanted.includes(name));
      return summary(encodeTensors(named), prediction);
    },
    onError,
  });
  const cancels = new CancelListener(subscriber);
  await cancels.listen(model, (id) => consumer.cancel(id));
  consumer.start();
  return {
    close: async () => {
      await consumer.close();
      redis.disconnect();
      subscriber.disconnect();
    },
  };
}

function summary(output: Uint8Array, { data, createdAtMs }: QueuedPrediction): JobResult {
  const startedAtMs = Date.now();
  return {
    batchId: 'echo-1',
    batchRows: data.rows,
    batchEntries: 1,
    reason: 'idle',
    startedAtMs,
    queueTimeMs: Math.max(0, startedAtMs - createdAtMs),
    collateTimeMs: 0,
    inferenceTimeMs: 0.5,
    splitTimeMs: 0,
    storeTimeMs: 0,
    executionProvider: 'cpu',
    bytes: output.byteLength,
    output: Buffer.from(output).toString('base64'),
  };
}
