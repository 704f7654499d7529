import { rawRowsPerSecond } from '../limits/raw-onnx.ts';
import { drainPredictions } from '../load/drain.ts';
import { batchingSubjects } from '../models/batching-subjects.ts';
import { denseMlp, MLP_INPUT } from '../models/dense-mlp.ts';
import type { Figure } from '../report.ts';
import { pairedRatios, summarise } from '../summary.ts';
import { autoAgainstFixed } from './auto-against-fixed.ts';
import { withBenchStack } from './bench-stack.ts';
import type { Suite, SuiteOptions } from './suite.ts';

const MAX_BATCH = 64;
/** A drain of these takes a few seconds each on one slow core. */
const COUNTS = { auto: 6000, off: 1000 } as const;
/** With this many rows in each prediction the model is the limit, and not the queue. */
const ROWS_TOGETHER = 16;
const COUNT_TOGETHER = 600;

/** Batching on the dense MLP, and `auto` against fixed sizes on every model there is. */
export const batchingSuite: Suite = async (options) => {
  const figures = await onAndOff(options);
  for (const subject of await batchingSubjects()) {
    figures.push(...(await autoAgainstFixed(subject, options)));
  }
  return figures;
};

/** The dense MLP: batching on against off, and the whole system against ONNX Runtime alone. */
async function onAndOff({ quick, log }: SuiteOptions): Promise<Figure[]> {
  const rounds = quick ? 1 : 4;
  const share = quick ? 0.25 : 1;
  const onnx = denseMlp();
  const made = (['auto', 'off'] as const).map((mode) => ({
    name: `mlp-${mode}`,
    onnx,
    yaml: `batching: {mode: ${mode}, maxBatchSize: ${MAX_BATCH}}\n`,
  }));
  const row = Array.from({ length: MLP_INPUT }, (_, i) => (i % 13) / 13);
  const input = { x: [row] };
  const together = { x: Array.from({ length: ROWS_TOGETHER }, () => row) };
  return withBenchStack({ made }, async ({ queue }) => {
    const rates = { auto: [] as number[], off: [] as number[] };
    const raw: number[] = [];
    const computeBound: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const bySize = await rawRowsPerSecond(
        onnx,
        { name: 'x', values: MLP_INPUT },
        quick ? 200 : 700,
      );
      raw.push(Math.max(...bySize.values()));
      for (const mode of ['auto', 'off'] as const) {
        const count = Math.round(COUNTS[mode] * share);
        rates[mode].push(await drainPredictions({ queue, model: `mlp-${mode}`, input, count }));
      }
      const count = Math.round(COUNT_TOGETHER * share);
      const load = { queue, model: 'mlp-auto', input: together, count };
      computeBound.push((await drainPredictions(load)) * ROWS_TOGETHER);
      log(
        `  round ${round + 1}: raw ${format(bySize)}; ${describe(rates)}, ${computeBound.at(-1)?.toFixed(0)} rows/s together`,
      );
    }
    return [
      {
        what: `compute-bound: dense MLP rows/s through the whole system (auto, ${ROWS_TOGETHER} rows a prediction)`,
        unit: '/s',
        ours: summarise(computeBound),
        limit: { what: 'ONNX Runtime alone, best batch', value: summarise(raw) },
        ratio: pairedRatios(computeBound, raw),
        goal: '0.95',
      },
      {
        what: 'dynamic batching on / off on the dense MLP',
        unit: '/s',
        ours: summarise(rates.auto),
        limit: { what: 'mode off', value: summarise(rates.off) },
        ratio: pairedRatios(rates.auto, rates.off),
        goal: '8',
      },
    ];
  });
}

function format(bySize: ReadonlyMap<number, number>): string {
  return [...bySize].map(([rows, rate]) => `${rows}:${rate.toFixed(0)}`).join(' ');
}

function describe(rates: Readonly<Record<string, readonly number[]>>): string {
  return Object.entries(rates)
    .map(([mode, values]) => `${mode} ${values.at(-1)?.toFixed(0)}/s`)
    .join(', ');
}
