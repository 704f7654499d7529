import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXAMPLE_MODELS } from '@quern/testkit';
import { httpLoad } from '../load/http-load.ts';
import { type Latency, type OpenLoopRequest, openLoopLoad } from '../load/open-loop.ts';
import { denseMlp, MLP_INPUT } from '../models/dense-mlp.ts';
import type { Figure } from '../report.ts';
import { Random } from '../simulator/random.ts';
import { type Summary, summarise } from '../summary.ts';
import { withBenchStack } from './bench-stack.ts';
import type { Suite, SuiteOptions } from './suite.ts';

const CALLERS = 64;
const CAPACITY_SHARES = [0.5, 0.8, 0.95];
const QUICK_SHARES = [0.5];
const SEED = 7;

const FAST_PATH = '/v1/models/digits/predictions';
const SLOW_PATH = '/v1/models/mlp/predictions';
/** Of 20 requests to both models one is for the slow one, which takes many times as long. */
const SLOW_SHARE = 1 / 20;

type Percentile = 'p50Ms' | 'p99Ms' | 'p999Ms';
const PERCENTILES: readonly (readonly [Percentile, string])[] = [
  ['p50Ms', 'p50'],
  ['p99Ms', 'p99'],
  ['p999Ms', 'p99.9'],
];

/** A load that does not wait for answers, by kinds of requests. */
interface Workload {
  readonly name: string;
  readonly requests: readonly OpenLoopRequest[];
  /** What its capacity is measured with, in a closed loop; default: the requests. */
  readonly equalWork?: readonly OpenLoopRequest[];
}

/**
 * Latency where requests come by themselves, at 50, 80 and 95 % of what a closed loop of 64 callers
 * reached just before: one model; the same with priorities mixed; and a slow model beside a fast one.
 */
export const openLoopSuite: Suite = async (options) => {
  const models = { examples: ['digits'], made: [{ name: 'mlp', onnx: denseMlp() }] };
  const workloads = await allWorkloads();
  return withBenchStack(models, async ({ stack }) => {
    const figures: Figure[] = [];
    for (const workload of workloads) {
      figures.push(...(await measure(workload, stack.apiUrl, options)));
    }
    return figures;
  });
};

async function allWorkloads(): Promise<Workload[]> {
  const text = await readFile(join(EXAMPLE_MODELS, 'digits/samples/three.json'), 'utf8');
  const { input } = JSON.parse(text) as { input: Record<string, unknown> };
  const row = Array.from({ length: MLP_INPUT }, (_, i) => (i % 13) / 13);
  const fast = { path: FAST_PATH, body: JSON.stringify({ input }) };
  const slow = { path: SLOW_PATH, body: JSON.stringify({ input: { x: [row] } }) };
  const priorities = ['high', 'normal', 'low'] as const;
  return [
    { name: 'digits', requests: [{ name: 'all', ...fast, weight: 1 }] },
    {
      name: 'digits, mixed priorities',
      // In a closed loop of all three, low ones would rarely have their turn.
      equalWork: [{ name: 'all', ...fast, weight: 1 }],
      requests: priorities.map((priority) => ({
        name: priority,
        path: FAST_PATH,
        body: JSON.stringify({ input, priority }),
        weight: 1,
      })),
    },
    {
      name: 'digits beside a slow model',
      requests: [
        { name: 'digits', ...fast, weight: 1 - SLOW_SHARE },
        { name: 'dense MLP', ...slow, weight: SLOW_SHARE },
      ],
    },
  ];
}

async function measure(
  { name, requests, equalWork = requests }: Workload,
  apiUrl: string,
  { quick, log }: SuiteOptions,
): Promise<Figure[]> {
  const rounds = quick ? 1 : 2;
  const results = new Map<number, Latency[][]>();
  for (let round = 1; round <= rounds; round++) {
    // The machine's speed changes within minutes: shares of a capacity of long ago would say nothing.
    const capacity = await capacityOf(equalWork, apiUrl, quick ? 1 : 3);
    log(`  ${name}, round ${round}: ${capacity.toFixed(0)}/s with ${CALLERS} callers`);
    for (const share of quick ? QUICK_SHARES : CAPACITY_SHARES) {
      const random = new Random(SEED + round);
      const rate = Math.max(1, capacity * share);
      const load = { apiUrl, requests, rate, seconds: quick ? 2 : 6, random };
      const latencies = await openLoopLoad(load);
      results.set(share, [...(results.get(share) ?? []), latencies]);
      log(`    ${percent(share)}: ${latencies.map(describe).join('; ')}`);
    }
  }
  return [...results].flatMap(([share, all]) =>
    requests.flatMap((kind, place) =>
      figuresOf(
        `open loop, ${name}${requests.length > 1 ? `: ${kind.name}` : ''}, ${percent(share)} of capacity`,
        all.flatMap((latencies) => latencies[place] ?? []),
      ),
    ),
  );
}

/** Requests of all kinds per second, each kind by as many callers as its weight says. */
async function capacityOf(
  requests: readonly OpenLoopRequest[],
  apiUrl: string,
  seconds: number,
): Promise<number> {
  const total = requests.reduce((sum, { weight }) => sum + weight, 0);
  const rates = await Promise.all(
    requests.map(async ({ path, body, weight }) => {
      const callers = Math.max(1, Math.round((CALLERS * weight) / total));
      const { goodPerSecond } = await httpLoad({ url: `${apiUrl}${path}`, body, callers, seconds });
      return { goodPerSecond, weight };
    }),
  );
  // In these shares: the kind that falls behind its share bounds the whole.
  return Math.min(...rates.map(({ goodPerSecond, weight }) => (goodPerSecond * total) / weight));
}

function figuresOf(what: string, latencies: readonly Latency[]): Figure[] {
  const failed = latencies.reduce((sum, each) => sum + each.failed, 0);
  return PERCENTILES.map(([key, label]) => ({
    what: `${what}, ${label}${failed > 0 ? ` (${failed} failed)` : ''}`,
    unit: 'ms',
    ours: summaryOf(latencies, key),
  }));
}

function summaryOf(latencies: readonly Latency[], key: Percentile): Summary {
  return summarise(latencies.map((each) => each[key]));
}

function describe({ name, p50Ms, p99Ms, p999Ms, answered, failed }: Latency): string {
  const times = [p50Ms, p99Ms, p999Ms].map((ms) => ms.toFixed(1)).join(' / ');
  return `${name} ${times} ms of ${answered}${failed > 0 ? `, ${failed} failed` : ''}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
