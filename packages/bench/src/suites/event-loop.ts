import { workerPort } from '@quern/testkit';
import { summarise } from '../summary.ts';
import { withBenchStack } from './bench-stack.ts';
import type { Suite } from './suite.ts';

const RUN_MS = 5000;
const TRIAL_TRIPS = 20_000;

interface TimedAnswer {
  readonly status: string;
  readonly metrics: { readonly inference_time_ms: number };
}

/** The longest gap in the worker's event loop while a run of about five seconds is going on. */
export const eventLoopSuite: Suite = async ({ quick, log }) => {
  const rounds = quick ? 1 : 4;
  const made = [{ name: 'slow', onnx: 'loop', yaml: 'runTimeoutMs: 60000\n' }];
  return withBenchStack({ made }, async ({ stack }) => {
    const [worker] = stack.workers;
    if (worker === undefined) throw new Error('no worker');
    const metricsUrl = `http://127.0.0.1:${await workerPort(worker)}/metrics`;
    const run = async (trips: number): Promise<number> => {
      const input = { x: [Array(16).fill(0.5)], trips: [[trips]] };
      const response = await stack.post(
        '/v1/models/slow/predictions',
        { input },
        { prefer: 'wait=60' },
      );
      const answer = (await response.json()) as TimedAnswer;
      if (answer.status !== 'succeeded') throw new Error(`the slow run is ${answer.status}`);
      return answer.metrics.inference_time_ms;
    };
    const msPerTrip = (await run(TRIAL_TRIPS)) / TRIAL_TRIPS;
    const gaps: number[] = [];
    for (let round = 0; round < rounds; round++) {
      // Reading the metric also resets it.
      await longestGapMs(metricsUrl);
      const runMs = await run(Math.round(RUN_MS / msPerTrip));
      gaps.push(await longestGapMs(metricsUrl));
      log(
        `  round ${round + 1}: run of ${runMs.toFixed(0)} ms, longest gap ${gaps.at(-1)?.toFixed(1)} ms`,
      );
    }
    return [
      {
        what: 'longest event-loop gap in the worker while a 5 s batch runs',
        unit: 'ms',
        ours: summarise(gaps),
        goal: '50 ms at most',
      },
    ];
  });
};

async function longestGapMs(metricsUrl: string): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  const [, seconds] = /^nodejs_eventloop_lag_max_seconds(?:\{[^}]*\})? (\S+)$/m.exec(text) ?? [];
  if (seconds === undefined) throw new Error('the worker shows no event-loop lag');
  return Number(seconds) * 1000;
}
