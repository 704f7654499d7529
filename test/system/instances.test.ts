import { eventually } from '@quern/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { submitMany, tallyOutcomes } from './load.ts';
import { type RunningStack, startStack } from './running-stack.ts';
import { readSamples } from './samples.ts';

/** Laid out by measuring, and replaced as soon as a runner has grown by a megabyte. */
const YAML = 'instances: {count: auto, threads: auto, recycle: {maxMemoryGrowthMb: 1}}';

interface Version {
  readonly instances: number;
  readonly threads: number;
  readonly stats: { readonly recycled: number; readonly failed: number };
}

let running: RunningStack;

beforeAll(async () => {
  running = await startStack({ models: [], workers: 0 });
  await running.models.addExample('digits');
  await running.models.add({ name: 'digits', yaml: YAML });
  running.stack.addWorker();
  await running.stack.untilModelsSettled();
});

afterAll(() => running?.stop());

async function version(): Promise<Version> {
  const model = (await running.stack.get('/v1/models/digits')) as { versions: [Version] };
  return model.versions[0];
}

it('replaces instances under load, and every prediction succeeds with its own answer', async () => {
  const { stack } = running;
  const samples = await readSamples('digits');
  const load = { model: 'digits', samples, count: 200, callers: 8 };
  do {
    const tally = await tallyOutcomes(stack, await submitMany(stack, load), 60_000);
    expect(tally).toEqual({ succeeded: load.count });
  } while ((await version()).stats.recycled === 0);
  expect((await version()).stats.failed).toBe(0);
});

it('measures how many instances are best at the first start, and not at the next', async () => {
  const { stack } = running;
  const [first] = stack.workers;
  await first?.line(/Instances measured/);
  await first?.stop();
  const second = stack.addWorker();
  const line = await second.line(/Instances as measured earlier/);
  const { instances, threads } = JSON.parse(line) as Version;
  await stack.untilModelsSettled();
  await eventually(async () => expect(await version()).toMatchObject({ instances, threads }));
});
