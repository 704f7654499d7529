import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXAMPLE_MODELS, eventually, type TestRedis } from '@quern/testkit';
import { httpLoad } from '../load/http-load.ts';
import { type ProcessSample, timeByWork } from '../profile/process-sample.ts';
import { workRuleFor } from '../profile/work-rules.ts';
import type { Figure } from '../report.ts';
import { summarise } from '../summary.ts';
import { withBenchStack } from './bench-stack.ts';
import type { Suite } from './suite.ts';

const CALLERS = 64;
const OTHER = 'everything else';
/** What a process spends outside of its main thread: the model's run, garbage, compiling, sampling. */
const OTHER_THREADS = 'other threads';

/**
 * Where the CPU time of a synchronous prediction goes: every process sampled under load, its time put
 * down to what it works at. Sampling itself costs some; so the shares say more than the sums.
 */
export const budgetSuite: Suite = async ({ quick, log }) => {
  const rounds = quick ? 1 : 3;
  const seconds = quick ? 2 : 10;
  const folder = await mkdtemp(join(tmpdir(), 'quern-budget-'));
  const hook = new URL('../profile/sampler-main.js', import.meta.url).href;
  const env = { NODE_OPTIONS: `--import=${hook}`, BENCH_PROFILE_FOLDER: folder };
  const sample = await readFile(join(EXAMPLE_MODELS, 'digits/samples/three.json'), 'utf8');
  const body = JSON.stringify({ input: (JSON.parse(sample) as { input: unknown }).input });
  const costs: Map<string, number>[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      await withBenchStack({ examples: ['digits'], env }, async ({ stack, redis }) => {
        const url = `${stack.apiUrl}/v1/models/digits/predictions`;
        const load = { url, body, callers: CALLERS, seconds };
        await httpLoad(load);
        await redis.client.config('RESETSTAT');
        const redisUs = await redisCpuUs(redis);
        await signalAll(folder);
        const { good } = await httpLoad(load);
        const samples = await takeSamples(folder);
        const redisSpentUs = (await redisCpuUs(redis)) - redisUs;
        costs.push(perPrediction(samples, good, await redisTimes(redis, redisSpentUs)));
        log(`  round ${round + 1}: ${(good / seconds).toFixed(0)}/s`);
      });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return inOrder(costs);
};

/** Each line is "process: work". */
function perPrediction(
  samples: readonly ProcessSample[],
  predictions: number,
  redisTimes: ReadonlyMap<string, number>,
): Map<string, number> {
  const costs = new Map<string, number>();
  const add = (line: string, us: number): void => {
    costs.set(line, (costs.get(line) ?? 0) + us / predictions);
  };
  for (const { script, cpuUs, profile } of samples) {
    const known = workRuleFor(script);
    if (known === undefined) continue;
    const times = timeByWork(profile, known.rule, OTHER);
    const mainThreadUs = [...times.values()].reduce((sum, us) => sum + us, 0);
    // A sample says where a thread is, not whether it has a core: with too few of them, not all is CPU time.
    const share = Math.min(1, cpuUs / mainThreadUs);
    for (const [work, us] of times) add(`${known.process}: ${work}`, us * share);
    add(`${known.process}: ${OTHER_THREADS}`, cpuUs - mainThreadUs * share);
  }
  for (const [work, us] of redisTimes) add(`Redis: ${work}`, us);
  return costs;
}

/** Medians over the rounds, the most expensive first, and the sum. */
function inOrder(costs: readonly Map<string, number>[]): Figure[] {
  const lines = new Set(costs.flatMap((cost) => [...cost.keys()]));
  const figures = [...lines].map((what) => ({
    what,
    unit: 'us',
    ours: summarise(costs.map((cost) => cost.get(what) ?? 0)),
  }));
  figures.sort((a, b) => b.ours.median - a.ours.median);
  const sums = costs.map((cost) => [...cost.values()].reduce((sum, us) => sum + us, 0));
  return [
    ...figures.filter(({ ours }) => ours.median >= 1),
    { what: 'all of a synchronous prediction', unit: 'us', ours: summarise(sums) },
  ];
}

/** The first signal starts the sampling of a process, the second one ends it. */
async function signalAll(folder: string): Promise<number[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.pid'));
  const pids: number[] = [];
  for (const name of names) {
    const script = await readFile(join(folder, name), 'utf8');
    if (workRuleFor(script) !== undefined) pids.push(Number.parseInt(name, 10));
  }
  for (const pid of pids) process.kill(pid, 'SIGUSR2');
  return pids;
}

async function takeSamples(folder: string): Promise<ProcessSample[]> {
  const pids = await signalAll(folder);
  const samples: ProcessSample[] = [];
  for (const pid of pids) {
    const file = join(folder, `${pid}.json`);
    samples.push(await eventually(() => readSample(file)));
    await rm(file);
    await rm(join(folder, `${pid}.pid`));
  }
  return samples;
}

/** Fails until the process has written all of it. */
async function readSample(file: string): Promise<ProcessSample> {
  return JSON.parse(await readFile(file, 'utf8')) as ProcessSample;
}

async function redisCpuUs({ client }: TestRedis): Promise<number> {
  const info = await client.info('cpu');
  const seconds = [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)];
  return seconds.reduce((sum, [, text]) => sum + Number(text) * 1e6, 0);
}

/** Its time in commands (those inside of scripts count as the script), and the rest of its CPU time. */
async function redisTimes(
  { client }: TestRedis,
  cpuUs: number,
): Promise<ReadonlyMap<string, number>> {
  const info = await client.info('commandstats');
  let scriptsUs = 0;
  for (const [, us] of info.matchAll(/^cmdstat_evalsha:calls=\d+,usec=(\d+)/gm)) {
    scriptsUs += Number(us);
  }
  return new Map([
    ['scripts', scriptsUs],
    ['sockets, parsing, append-only file', Math.max(0, cpuUs - scriptsUs)],
  ]);
}
