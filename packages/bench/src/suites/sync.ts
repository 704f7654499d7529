import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { EXAMPLE_MODELS } from '@quern/testkit';
import { evalshaPerSecond } from '../limits/evalsha-rate.ts';
import { requestsPerSecond } from '../load/http-load.ts';
import type { Figure } from '../report.ts';
import { pairedRatios, percentile, summarise } from '../summary.ts';
import { startBareExpress } from './bare-express.ts';
import { withBenchStack } from './bench-stack.ts';
import type { Suite } from './suite.ts';

const CALLERS = 64;

/** Synchronous predictions over HTTP: the idle overhead, and the rate beside a server without a queue. */
export const syncSuite: Suite = async ({ quick, log }) => {
  const rounds = quick ? 2 : 5;
  const seconds = quick ? 2 : 6;
  const sample = await readFile(join(EXAMPLE_MODELS, 'digits/samples/three.json'), 'utf8');
  const body = JSON.stringify({ input: (JSON.parse(sample) as { input: unknown }).input });
  return withBenchStack({ examples: ['digits'] }, async ({ stack, redis }) => {
    const bare = await startBareExpress();
    const path = '/v1/models/digits/predictions';
    const overheads: number[] = [];
    const ours: number[] = [];
    const theirs: number[] = [];
    const scripts: number[] = [];
    try {
      for (let round = 0; round < rounds; round++) {
        overheads.push(await idleOverheadMs(`${stack.apiUrl}${path}`, body, quick ? 100 : 400));
        const load = { body, callers: CALLERS, seconds };
        ours.push(await requestsPerSecond({ ...load, url: `${stack.apiUrl}${path}` }));
        theirs.push(await requestsPerSecond({ ...load, url: `${bare.url}${path}` }));
        scripts.push(await evalshaPerSecond(redis.url, 1));
        log(
          `  round ${round + 1}: ${ours.at(-1)?.toFixed(0)}/s beside ${theirs.at(-1)?.toFixed(0)}/s`,
        );
      }
    } finally {
      await bare.process.stop();
    }
    const figures: Figure[] = [
      {
        what: "idle sync prediction, p50 beyond the model's own run",
        unit: 'ms',
        ours: summarise(overheads),
        goal: '2.5 ms at most',
      },
      {
        what: `sync HTTP predictions/s, ${CALLERS} callers`,
        unit: '/s',
        ours: summarise(ours),
        limit: { what: 'Express without a queue', value: summarise(theirs) },
        ratio: pairedRatios(ours, theirs),
        goal: '0.50',
      },
      {
        what: 'the same beside what Redis can do',
        unit: '/s',
        ours: summarise(ours),
        limit: { what: 'EVALSHA of four commands/s', value: summarise(scripts) },
        ratio: pairedRatios(ours, scripts),
      },
    ];
    return figures;
  });
};

interface SyncAnswer {
  readonly metrics: { readonly inference_time_ms: number };
}

/** One request after the other on one connection: what a prediction costs beyond the model's run. */
async function idleOverheadMs(url: string, body: string, count: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const overheads: number[] = [];
  for (let i = 0; i < count; i++) {
    const startedAtMs = performance.now();
    const text = await post(url, body, agent);
    const elapsedMs = performance.now() - startedAtMs;
    overheads.push(elapsedMs - (JSON.parse(text) as SyncAnswer).metrics.inference_time_ms);
  }
  agent.destroy();
  return percentile(
    overheads.sort((a, b) => a - b),
    0.5,
  );
}

function post(url: string, body: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      prefer: 'wait',
    };
    const call = request(url, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    });
    call.on('error', reject);
    call.end(body);
  });
}
