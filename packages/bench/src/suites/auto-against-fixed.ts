import { drainPredictions } from '../load/drain.ts';
import type { BatchingSubject } from '../models/batching-subjects.ts';
import type { Figure } from '../report.ts';
import { pairedRatios, summarise } from '../summary.ts';
import { type BenchStack, withBenchStack } from './bench-stack.ts';
import type { SuiteOptions } from './suite.ts';

const FIXED_SIZES = [1, 4, 16, 64] as const;
/** Of the five variants each begins one. */
const ROUNDS = 5;
const RESTARTS = 2;

/**
 * How long a drain should take, with every model and size: with equal numbers of predictions what is ten
 * times slower than the best would take most of the time of the suite.
 */
const DRAIN_MS = 1000;
const QUICK_DRAIN_MS = 300;
const MAX_DRAINED = 6000;
/** So many batches at least: one says nothing of how they follow each other. */
const MIN_BATCHES = 2;

/** Drains of `auto` before it is measured: it tries out sizes first. */
const LEARNING_DRAINS = 8;

/** Right after a start so many times a drain is measured: the first second is that of a cold process. */
const RESTART_DRAINS = 3;

interface Variant {
  readonly name: string;
  readonly yaml: string;
  /** The most rows of a batch. */
  readonly size: number;
  /** Predictions of a drain. */
  drained: number;
  readonly rates: number[];
}

/**
 * One model in `mode: auto` against fixed sizes, in turn within one run, by one worker with one instance
 * each; then auto right after a restart, with what was learnt loaded, against before it.
 */
export async function autoAgainstFixed(
  subject: BatchingSubject,
  { quick, log }: SuiteOptions,
): Promise<Figure[]> {
  const { name, onnx, input, count, maxBatchSize } = subject;
  const auto = variant(subject, 'auto', maxBatchSize);
  const sizes = FIXED_SIZES.filter((size) => size < maxBatchSize);
  const fixed = [...sizes, maxBatchSize].map((size) => variant(subject, 'fixed', size));
  const made = [auto, ...fixed].map((one) => ({ name: one.name, onnx, yaml: one.yaml }));
  return withBenchStack({ made }, async (parts) => {
    const drain = (one: Variant, times = 1): Promise<number> =>
      drainPredictions({ queue: parts.queue, model: one.name, input, count: one.drained * times });
    for (const one of [auto, ...fixed]) {
      one.drained = Math.max(MIN_BATCHES * one.size, Math.round(count / 20));
      const perSecond = await drain(one);
      const forTime = Math.round((perSecond * (quick ? QUICK_DRAIN_MS : DRAIN_MS)) / 1000);
      one.drained = Math.min(MAX_DRAINED, Math.max(MIN_BATCHES * one.size, forTime));
    }
    // Its first drain was one of trying out, and short drains are slow ones.
    auto.drained = Math.max(...fixed.map((one) => one.drained));
    for (let i = 0; i < (quick ? 1 : LEARNING_DRAINS); i++) await drain(auto);
    for (let round = 0; round < (quick ? 1 : ROUNDS); round++) {
      for (const one of inTurn([auto, ...fixed], round)) one.rates.push(await drain(one));
    }
    const best = fixed.reduce((a, b) => (median(b) > median(a) ? b : a));
    log(`  ${[auto, ...fixed].map((one) => `${one.name} ${median(one).toFixed(0)}/s`).join(', ')}`);
    const restarts = await ratesAfterRestarts(parts, quick ? 1 : RESTARTS, () =>
      drain(auto, quick ? 1 : RESTART_DRAINS),
    );
    log(
      `  ${name} right after start ${format(restarts.first)}, a drain later ${format(restarts.later)}`,
    );
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
        what: `right after start, run times loaded / a drain later: ${name}`,
        unit: '/s',
        ours: summarise(restarts.first),
        limit: { what: 'a drain later', value: summarise(restarts.later) },
        ratio: pairedRatios(restarts.first, restarts.later),
        goal: '0.9',
      },
    ];
  });
}

/** The first drain of a new worker, and the second one of the same. */
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
    later.push(await drain());
  }
  return { first, later };
}

function variant({ name, yaml }: BatchingSubject, mode: 'auto' | 'fixed', size: number): Variant {
  const batching = `batching: {mode: ${mode}, maxBatchSize: ${size}}`;
  return {
    name: `${name}-${mode === 'auto' ? mode : size}`,
    yaml: `${batching}\ninstances: {count: 1}\n${yaml}`,
    size,
    drained: 0,
    rates: [],
  };
}

function format(rates: readonly number[]): string {
  return `${summarise(rates).median.toFixed(0)}/s`;
}

/** Each round begins with another one, so that none always runs on a cool machine. */
function inTurn<T>(items: readonly T[], round: number): T[] {
  const start = round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

function median({ rates }: Variant): number {
  return summarise(rates).median;
}
