import { Agent, request } from 'node:http';
import { build, type Histogram } from 'hdr-histogram-js';
import type { Random } from '../simulator/random.ts';

/** One kind of request of a mixed load. */
export interface OpenLoopRequest {
  /** What its latencies are counted under. */
  readonly name: string;
  readonly path: string;
  readonly body: string;
  /** Its share of the arrivals, relative to the others'. */
  readonly weight: number;
}

export interface OpenLoopOptions {
  readonly apiUrl: string;
  readonly requests: readonly OpenLoopRequest[];
  /** Arrivals per second of all kinds together. */
  readonly rate: number;
  readonly seconds: number;
  readonly random: Random;
}

/** Latencies in ms of one kind of request, counted from when each should have been sent. */
export interface Latency {
  readonly name: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly answered: number;
  /** Answered with something else than 200, or not at all. */
  readonly failed: number;
}

const MAX_CONNECTIONS = 1024;
const LONGEST_MS = 120_000;
const MICROSECONDS_PER_MS = 1000;

interface Tally {
  readonly histogram: Histogram;
  failed: number;
}

/**
 * Open-loop load: requests arrive by a Poisson process, whatever became of those before. A latency
 * counts from the drawn time of arrival, also when this process or a connection was late to send it: so
 * a server that stalls is charged for everybody who would have come meanwhile (no coordinated omission).
 * Histograms keep three digits from 1 us to 120 s.
 * @returns one entry for each kind of request, in the order of `requests`
 */
export async function openLoopLoad(options: OpenLoopOptions): Promise<Latency[]> {
  const { requests, rate, seconds, random, apiUrl } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS, scheduling: 'fifo' });
  const tallies = new Map(requests.map((each) => [each, newTally()]));
  const running = new Set<Promise<void>>();
  const startMs = performance.now();
  let dueMs = random.exponential(1000 / rate);
  try {
    while (dueMs < seconds * 1000) {
      const aheadMs = startMs + dueMs - performance.now();
      // A timer is a millisecond late at times: that is charged to the requests, not left out.
      if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
      const kind = pick(requests, random);
      const sending = send({ kind, agent, apiUrl, dueAtMs: startMs + dueMs }, tallies.get(kind));
      running.add(sending);
      void sending.finally(() => running.delete(sending));
      dueMs += random.exponential(1000 / rate);
    }
    await Promise.all(running);
  } finally {
    agent.destroy();
  }
  return requests.map((each) => latencyOf(each.name, tallies.get(each) ?? newTally()));
}

function newTally(): Tally {
  const highest = LONGEST_MS * MICROSECONDS_PER_MS;
  return {
    histogram: build({ highestTrackableValue: highest, numberOfSignificantValueDigits: 3 }),
    failed: 0,
  };
}

function pick(requests: readonly OpenLoopRequest[], random: Random): OpenLoopRequest {
  const total = requests.reduce((sum, { weight }) => sum + weight, 0);
  let left = random.next() * total;
  for (const each of requests) {
    left -= each.weight;
    if (left <= 0) return each;
  }
  throw new Error('no kind of request was given');
}

interface Sending {
  readonly kind: OpenLoopRequest;
  readonly agent: Agent;
  readonly apiUrl: string;
  readonly dueAtMs: number;
}

async function send({ kind, agent, apiUrl, dueAtMs }: Sending, tally: Tally | undefined) {
  const isGood = await post(`${apiUrl}${kind.path}`, kind.body, agent);
  if (tally === undefined) return;
  const elapsedMs = Math.min(performance.now() - dueAtMs, LONGEST_MS);
  if (isGood) tally.histogram.recordValue(Math.max(1, Math.round(elapsedMs * MICROSECONDS_PER_MS)));
  else tally.failed += 1;
}

/** @returns whether the answer was 200, which a prediction that has not ended in time is not */
function post(url: string, body: string, agent: Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      prefer: 'wait=60',
    };
    const call = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
      response.on('error', () => resolve(false));
    });
    call.on('error', () => resolve(false));
    call.end(body);
  });
}

function latencyOf(name: string, { histogram, failed }: Tally): Latency {
  const ms = (percent: number): number =>
    histogram.getValueAtPercentile(percent) / MICROSECONDS_PER_MS;
  return {
    name,
    p50Ms: ms(50),
    p99Ms: ms(99),
    p999Ms: ms(99.9),
    maxMs: histogram.maxValue / MICROSECONDS_PER_MS,
    answered: histogram.totalCount,
    failed,
  };
}
