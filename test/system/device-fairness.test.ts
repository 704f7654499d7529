import { availableParallelism } from 'node:os';
import { eventually, type TestProcess, workerPort } from '@quern/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loopInput } from './loop-model.ts';
import { submit } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

/** Each run takes all cores by its configuration, so only one fits at a time. */
function yaml(weight: number): string {
  const instances = `{count: 1, threads: ${availableParallelism()}, weight: ${weight}}`;
  return `batching: {mode: off}\ninstances: ${instances}\n`;
}

const COUNTS = { light: 200, heavy: 420 };
const SECONDS = { light: 0.01, heavy: 0.005 };

let running: RunningStack;

beforeAll(async () => {
  running = await startStack({
    models: [
      { name: 'light', onnx: 'loop', yaml: yaml(1) },
      { name: 'heavy', onnx: 'loop', yaml: yaml(3) },
    ],
  });
});

afterAll(() => running?.stop());

interface Used {
  readonly runs: number;
  readonly seconds: number;
}

/** What the runs of both models have taken so far. */
async function used(worker: TestProcess): Promise<Record<keyof typeof COUNTS, Used>> {
  const text = await (await fetch(`http://127.0.0.1:${await workerPort(worker)}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.includes('phase="inference"'));
  const figureOf = (name: string, model: string): number => {
    const start = `quern_worker_phase_seconds_${name}{`;
    const line = lines.find((each) => each.startsWith(start) && each.includes(`"${model}"`));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  const of = (model: string): Used => ({
    runs: figureOf('count', model),
    seconds: figureOf('sum', model),
  });
  return { light: of('light'), heavy: of('heavy') };
}

it('gives two models that want all of a device its time by their weights', async () => {
  const { stack } = running;
  await stack.workers[0]?.stop();
  for (const model of ['light', 'heavy'] as const) {
    const input = loopInput(SECONDS[model]);
    await Promise.all(Array.from({ length: COUNTS[model] }, () => submit(stack, model, input)));
  }
  const worker = stack.addWorker();
  const untilHeavyHasRun = (runs: number) =>
    eventually(async () => {
      const now = await used(worker);
      if (now.heavy.runs < runs) throw new Error(`only ${now.heavy.runs} runs`);
      return now;
    }, 60_000);
  const before = await untilHeavyHasRun(20);
  const after = await untilHeavyHasRun(220);
  expect(after.light.runs).toBeLessThan(COUNTS.light);
  const light = after.light.seconds - before.light.seconds;
  const heavy = after.heavy.seconds - before.heavy.seconds;
  // 0.75 by their weights; without them it would be 0.5 if the cores were shared and 0.33 by turns.
  expect(heavy / (light + heavy)).toBeGreaterThan(0.62);
  expect(heavy / (light + heavy)).toBeLessThan(0.88);
});
