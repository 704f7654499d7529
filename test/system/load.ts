import type { WirePrediction } from '@quern/contract';
import { eventually } from '@quern/testkit';
import type { ApiCaller } from './predictions.ts';
import { distance, type Sample } from './samples.ts';

/** A prediction that the API has accepted, with the answer it must get. */
export interface Accepted {
  readonly id: string;
  readonly sample: Sample;
}

export interface LoadOptions {
  readonly model: string;
  readonly samples: readonly Sample[];
  readonly count: number;
  readonly callers: number;
  /** Called after each acceptance with the number so far. */
  readonly onAccepted?: (count: number) => void;
  /** What a refusal with this status means: `retry` sends it again; others fail the test. */
  readonly retryStatuses?: readonly number[];
}

const RETRY_PAUSE_MS = 50;

/** Posts predictions until `count` are accepted, from a number of callers at a time. */
export async function submitMany(stack: ApiCaller, options: LoadOptions): Promise<Accepted[]> {
  const accepted: Accepted[] = [];
  let started = 0;
  async function call(): Promise<void> {
    while (started < options.count) {
      const sample = options.samples[started++ % options.samples.length];
      if (sample === undefined) throw new Error('no samples');
      accepted.push({ id: await submitUntilAccepted(stack, sample, options), sample });
      options.onAccepted?.(accepted.length);
    }
  }
  await Promise.all(Array.from({ length: options.callers }, call));
  return accepted;
}

async function submitUntilAccepted(
  stack: ApiCaller,
  sample: Sample,
  { model, retryStatuses = [] }: LoadOptions,
): Promise<string> {
  for (;;) {
    const response = await stack.post(`/v1/models/${model}/predictions`, { input: sample.input });
    const body = (await response.json()) as WirePrediction;
    if (response.status === 202) return body.id;
    if (!retryStatuses.includes(response.status)) {
      throw new Error(`got ${response.status}: ${JSON.stringify(body)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
  }
}

/** Waits until a prediction has ended, however long polls it takes. */
export function untilEnded(
  stack: ApiCaller,
  id: string,
  timeoutMs: number,
): Promise<WirePrediction> {
  return eventually(async () => {
    const prediction = (await stack.get(`/v1/predictions/${id}?wait=10`)) as WirePrediction;
    if (['starting', 'processing'].includes(prediction.status)) {
      throw new Error(`${id} is still ${prediction.status}`);
    }
    return prediction;
  }, timeoutMs);
}

/** What became of accepted predictions, counted by status; wrong answers count as `wrong`. */
export async function tallyOutcomes(
  stack: ApiCaller,
  accepted: readonly Accepted[],
  timeoutMs: number,
): Promise<Record<string, number>> {
  const tally: Record<string, number> = {};
  const rest = [...accepted];
  async function collect(): Promise<void> {
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
      const { status, output } = await untilEnded(stack, next.id, timeoutMs);
      const isRight =
        status !== 'succeeded' || distance(output, next.sample.expected) <= next.sample.tolerance;
      const outcome = isRight ? status : 'wrong';
      tally[outcome] = (tally[outcome] ?? 0) + 1;
    }
  }
  await Promise.all(Array.from({ length: 16 }, collect));
  return tally;
}
