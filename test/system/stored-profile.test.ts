import { eventually } from '@quern/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { submit } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

const KEY = 'quern:{table}.profiles';

interface Version {
  readonly profile_sources: readonly { readonly source: string }[];
  readonly profiles: readonly {
    readonly warm_up: { readonly sizes: readonly unknown[] };
    readonly lanes: readonly { readonly sizes: readonly { readonly runs: number }[] }[];
  }[];
}

let running: RunningStack;

beforeAll(async () => {
  running = await startStack({ models: [{ name: 'table', onnx: 'gather' }] });
});
afterAll(() => running?.stop());

async function version(): Promise<Version | undefined> {
  const model = await running.stack.get('/v1/models/table?profile=true');
  return (model as { versions: Version[] }).versions[0];
}

/** Of all sizes that are not just expectations. */
async function observedRuns(): Promise<number | undefined> {
  const sizes = (await version())?.profiles.flatMap(({ lanes }) => lanes[0]?.sizes ?? []);
  return sizes?.reduce((sum, { runs }) => sum + runs, 0);
}

async function predict(): Promise<void> {
  const id = await submit(running.stack, 'table', { index: [2] });
  expect(await untilEnded(running.stack, id, 30_000)).toMatchObject({ status: 'succeeded' });
}

it('a new worker starts with what the last one learnt, until it is told to forget', async () => {
  const { stack, redis } = running;
  await predict();
  expect((await version())?.profile_sources).toMatchObject([{ source: 'measured' }]);
  await stack.workers[0]?.stop();
  // The last worker saved what it learnt when it stopped.
  expect(await observedRuns()).toBe(1);

  stack.addWorker();
  await stack.untilModelsSettled();
  expect((await version())?.profile_sources).toMatchObject([{ source: 'stored' }]);

  const reset = await fetch(`${stack.apiUrl}/v1/models/table/profile`, { method: 'DELETE' });
  expect(await reset.json()).toEqual({ model: 'table', versions: ['1'], forgotten: 1 });
  await eventually(async () => {
    expect((await version())?.profile_sources).toMatchObject([{ source: 'none' }]);
  });
  await predict();
  await stack.workers[1]?.stop();
  // What it saved then is what it learnt since; its warm-up is forgotten, too.
  expect((await version())?.profiles).toMatchObject([{ warm_up: { sizes: [] }, lanes: [{}] }]);
  expect(await redis.client.pttl(KEY)).toBeGreaterThan(0);
});
