import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEchoWorker } from './echo-worker.ts';
import { RunningApi } from './running-api.ts';

let api: RunningApi;
let worker: Awaited<ReturnType<typeof startEchoWorker>>;

beforeAll(async () => {
  api = await RunningApi.start();
  worker = await startEchoWorker(api.redisServer.url, 'pair');
});
afterAll(async () => {
  await worker?.close();
  await api?.stop();
});

const INPUT = { name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] };

/** Part of the answer's text to a request that only the extension makes sense of. */
const SHOWN: Record<string, () => Promise<string>> = {
  binary_tensor_data: () => infer({ parameters: { binary_data_output: true } }),
  classification: () => infer({ outputs: [{ name: 'y', parameters: { classification: 1 } }] }),
  model_repository: async () => (await api.call('POST', '/v2/repository/index')).text,
  parameters: () => infer({ parameters: { triton_enable: true } }),
  schedule_policy: () => infer({ parameters: { priority: 1, timeout: 10_000_000 } }),
  statistics: async () => (await api.call('GET', '/v2/models/pair/stats')).text,
};
const EXPECTED: Record<string, string> = {
  binary_tensor_data: '"binary_data_size":8',
  classification: '"2.000000:1:right"',
  model_repository: '"READY"',
  parameters: '"data":[1,2]',
  schedule_policy: '"data":[1,2]',
  statistics: '"inference_stats"',
};

test('every extension that the server names is there', async () => {
  const { extensions } = (await api.call('GET', '/v2')).json as { extensions: string[] };
  expect([...extensions].sort()).toEqual(Object.keys(SHOWN).sort());
  for (const [extension, show] of Object.entries(SHOWN)) {
    expect(await show(), extension).toContain(EXPECTED[extension]);
  }
});

async function infer(options: Record<string, unknown>): Promise<string> {
  const body = { inputs: [INPUT], ...options };
  return (await api.call('POST', '/v2/models/pair/infer', { body })).text;
}
