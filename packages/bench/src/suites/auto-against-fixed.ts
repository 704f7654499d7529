import { drainPredictions } from '../load/drain.ts';
import type { BatchingSubject } from '../models/batching-subjects.ts';
import type { Figure } from '../report.ts';
import { pairedRatios, summarise } from '../summary.ts';
import { type BenchStack, withBenchStack } from './bench-stack.ts';
import type { SuiteOptions } from './suite.ts';

const MAX_BATCH = 64;
const FIXED_SIZES = [1, 4, 16, 64] as const;
const QUICK_SHARE = 0.1;

/** Drains of `auto` before it is measured: long enough to have run for about a minute. */
const LEARNING_DRAINS = 4;

interface Variant {
  readonly name: string;
  readonly yaml: string;
  readonly rates: number[];
}

/**
 * One model in `mode: auto` against fixed sizes, in turn within one run, by one worker with one instance
 * each; then auto right after a restart, with what was learnt loaded, against before it.
 */
export async function autoAgainstFixed(
  { name, onnx, yaml, input, count }: BatchingSubject,
  { quick, log }: SuiteOptions,
): Promise<Figure[]> {
  const rounds = quick ? 1 : 4;
  const drained = Math.max(20, Math.round(count * (quick ? QUICK_SHARE : 1)));
  const auto = variant(`${name}-auto`, `{mode: auto, maxBatchSize: ${MAX_BATCH}}`, yaml);
  const fixed = FIXED_SIZES.map((size) =>
    variant(`${name}-${size}`, `{mode: fixed, maxBatchSize: ${size}}`, yaml),
  );
  const made = [auto, ...fixed].map((one) => ({ name: one.name, onnx, yaml: one.yaml }));
  return withBenchStack({ made }, async (parts) => {
    const drain = (model: string): Promise<number> =>
      drainPredictions({ queue: parts.queue, model, input, count: drained });
    for (let i = 0; i < (quick ? 1 : LEARNING_DRAINS); i++) await drain(auto.name);
    for (let round = 0; round < rounds; round++) {
      for (const one of inTurn([auto, ...fixed], round)) one.rates.push(await drain(one.name));
    }
    const best = fixed.reduce((a, b) => (median(b) > median(a) ? b : a));
    log(`  ${[auto, ...fixed].map((one) => `${one.name} ${median(one).toFixed(0)}/s`).join(', ')}`);
    const restarts = await ratesAfterRestarts(parts, rounds, () => drain(auto.name));
    return [
      {
        what: `mode auto / the best fixed size (${best.name}): ${name}`,
        unit: '/s',
        ours: summarise(auto.rates),
        limit: { what: best.name, value: summarise(best.rates) },
        ratio: pairedRatios(auto.rates, best.rates),
        goal: '0.97',
      },
      {
        what: `right after start, run times loaded / after a minute: ${name}`,
        unit: '/s',
        ours: summarise(restarts.first),
        limit: { what: 'after more drains', value: summarise(restarts.later) },
        ratio: pairedRatios(restarts.first, restarts.later),
        goal: '0.9',
      },
    ];
  });
}

/** The first drain of a new worker, and a later one of the same. */
async function ratesAfterRestarts(
  { stack }: BenchStack,
  restarts: number,
  drain: () => Promise<number>,
): Promise<{ first: number[]; later: number[] }> {
  const first: number[] = [];
  const later: number[] = [];
  for (let restart = 0; restart < restarts; restart++) {
    await stack.workers.at(-1)?.stop();
    stack.addWorker();
    await stack.untilModelsSettled();
    first.push(await drain());
    await drain();
    later.push(await drain());
  }
  return { first, later };
}

function variant(name: string, batching: string, yaml: string): Variant {
  return { name, yaml: `batching: ${batching}\ninstances: {count: 1}\n${yaml}`, rates: [] };
}

/** Each round begins with another one, so that none always runs on a cool machine. */
function inTurn<T>(items: readonly T[], round: number): T[] {
  const start = round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

function median({ rates }: Variant): number {
  return summarise(rates).median;
}
