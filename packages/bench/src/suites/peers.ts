import { freePort, TestRedis } from '@quern/testkit';
import { httpLoad } from '../load/http-load.ts';
import { ALL_PEERS } from '../peers/all-peers.ts';
import type { Peer, PeerModel } from '../peers/peer.ts';
import { writePeerModels } from '../peers/peer-models.ts';
import type { Figure } from '../report.ts';
import { pairedRatios, summarise } from '../summary.ts';
import type { Suite, SuiteOptions } from './suite.ts';

const CALLERS = [1, 16, 64, 256];
const QUICK_CALLERS = [64];
/** Enough for just-in-time compilers and pools to have settled. */
const WARMUP = { callers: 64, seconds: 3 };

/** Rates of one system by the number of callers, one for each round. */
type Rates = Map<number, number[]>;

/**
 * Synchronous predictions beside the systems that a user could pick instead: the same model file with one
 * thread, the same bodies, the same load generator. They take turns, alone on the machine but for Redis.
 */
export const peersSuite: Suite = async (options) => {
  const redis = await TestRedis.start({ appendfsync: 'everysec' });
  const { models, remove } = await writePeerModels();
  try {
    const figures: Figure[] = [];
    for (const model of models) figures.push(...(await compare(model, redis, options)));
    return figures;
  } finally {
    await remove();
    await redis.stop();
  }
};

async function compare(
  model: PeerModel,
  redis: TestRedis,
  { quick, log }: SuiteOptions,
): Promise<Figure[]> {
  const callers = quick ? QUICK_CALLERS : CALLERS;
  const seconds = quick ? 3 : 5;
  const results = new Map<Peer, Rates>();
  const left = new Set(ALL_PEERS);
  for (let round = 1; round <= (quick ? 1 : 3); round++) {
    for (const peer of left) {
      try {
        const rates = results.get(peer) ?? new Map<number, number[]>();
        results.set(peer, rates);
        await measure({ peer, model, redis, callers, seconds, rates });
        log(`  ${model.name}, round ${round}, ${peer.name}: ${describe(rates)}`);
      } catch (error) {
        left.delete(peer);
        results.delete(peer);
        log(`  ${model.name}, ${peer.name} left out: ${(error as Error).message}`);
      }
    }
  }
  return figuresOf(model, callers, results);
}

interface Measurement {
  readonly peer: Peer;
  readonly model: PeerModel;
  readonly redis: TestRedis;
  readonly callers: readonly number[];
  readonly seconds: number;
  readonly rates: Rates;
}

async function measure({ peer, model, redis, callers, seconds, rates }: Measurement) {
  const missing = peer.missing();
  if (missing !== undefined) throw new Error(missing);
  await redis.client.flushall();
  const port = await freePort();
  const running = await peer.start({ model, redisUrl: redis.url, port });
  try {
    const { url } = running;
    await httpLoad({ url, body: model.body, ...WARMUP });
    for (const count of callers) {
      // Some refuse part of a load that they find too high: what they answer counts.
      const load = { url, body: model.body, callers: count, seconds };
      const { goodPerSecond } = await httpLoad(load);
      rates.set(count, [...(rates.get(count) ?? []), goodPerSecond]);
    }
  } finally {
    await running.stop();
  }
}

function describe(rates: Rates): string {
  return [...rates].map(([count, all]) => `${count}: ${all.at(-1)?.toFixed(0)}/s`).join(', ');
}

/** One line for each other system and number of callers. */
async function figuresOf(
  model: PeerModel,
  callers: readonly number[],
  results: ReadonlyMap<Peer, Rates>,
): Promise<Figure[]> {
  const [quern, ...others] = [...results];
  const figures: Figure[] = [];
  if (quern === undefined) return figures;
  for (const count of callers) {
    const ours = quern[1].get(count) ?? [];
    for (const [peer, rates] of others) {
      const theirs = rates.get(count) ?? [];
      const kind = peer.isDurable ? 'durable' : 'in memory';
      figures.push({
        what: `${model.name}, sync, ${count} callers`,
        unit: '/s',
        ours: summarise(ours),
        limit: { what: `${await peer.version()} (${kind})`, value: summarise(theirs) },
        ratio: pairedRatios(ours, theirs),
      });
    }
  }
  return figures;
}
