import type { Job, Policy, World } from '../world.ts';
import { WaitingJobs } from './waiting-jobs.ts';

const TICK_MS = 1;
const SAMPLES = 50;
const SKIPPED_RUNS = 2;
/** The sizes of the first runs: eight times 1, then 2 and 3. */
const TRAINING = [1, 1, 1, 1, 1, 1, 1, 1, 2, 3];
/** The bound on latency where no deadline gives one: 60 s, the default. */
const DEFAULT_MAX_LATENCY_MS = 60_000;

/**
 * After BentoML's dispatcher: each worker fits the time of a batch as a * n + b over its last 50, looks
 * once a millisecond, cancels the oldest request if it would come too late, and waits for another one
 * as long as that costs those who wait less than 95 % of what first requests have waited so far.
 */
export const fittedLine: Policy = {
  name: 'BentoML',
  start: (world: World) => {
    const workers = Array.from({ length: world.instances }, (_, index) => new Worker(world, index));
    let next = 0;
    return (job) => {
      workers[next]?.add(job);
      next = (next + 1) % workers.length;
    };
  },
};

class Worker {
  readonly #world: World;
  readonly #instance: number;
  readonly #maxLatencyMs: number;
  readonly #waiting = new WaitingJobs();
  readonly #samples: { readonly rows: number; readonly timeMs: number }[] = [];
  readonly #firstWaitsMs: number[] = [];
  #runs = 0;
  #perRowMs: number;
  #fixedMs: number;
  #waitMs = 0;
  #busy = false;
  #ticking = false;

  constructor(world: World, instance: number) {
    this.#world = world;
    this.#instance = instance;
    this.#maxLatencyMs = Math.min(world.latencyGoalMs, DEFAULT_MAX_LATENCY_MS);
    this.#perRowMs = Math.min(2000, this.#maxLatencyMs / 15);
    this.#fixedMs = Math.min(1000, this.#maxLatencyMs / 30);
  }

  add(job: Job): void {
    this.#waiting.add(job);
    this.#look();
  }

  #look(): void {
    if (this.#busy || this.#ticking) return;
    const nowMs = this.#world.clock.nowMs();
    this.#waiting.dropExpired(nowMs);
    this.#cancelLate(nowMs);
    const { oldest } = this.#waiting;
    if (oldest === undefined) return;
    const training = TRAINING[this.#runs];
    const max = Math.min(this.#world.tunedBatchSize, training ?? Number.POSITIVE_INFINITY);
    if (this.#waiting.size < max && this.#worthWaiting(nowMs, training !== undefined)) {
      this.#ticking = true;
      this.#world.clock.setTimer(nowMs + TICK_MS, () => {
        this.#ticking = false;
        this.#look();
      });
      return;
    }
    this.#run(max, nowMs - oldest.arrivedAtMs);
  }

  #cancelLate(nowMs: number): void {
    while (this.#waiting.size > 1 && this.#waiting.oldest !== undefined) {
      const size = Math.min(this.#waiting.size, this.#world.tunedBatchSize);
      const waitedMs = nowMs - this.#waiting.oldest.arrivedAtMs;
      if (waitedMs + this.#perRowMs * size + this.#fixedMs < this.#maxLatencyMs) return;
      this.#waiting.shift();
    }
  }

  #worthWaiting(nowMs: number, training: boolean): boolean {
    if (training) return false;
    const size = this.#waiting.size;
    const { oldest } = this.#waiting;
    if (oldest === undefined) return false;
    const newestWaitedMs = this.#newestWaitedMs(nowMs);
    const tooLate =
      nowMs - oldest.arrivedAtMs + TICK_MS + this.#perRowMs * (size + 1) + this.#fixedMs >=
      0.95 * this.#maxLatencyMs;
    if (tooLate) return false;
    return size * (newestWaitedMs + TICK_MS + this.#perRowMs) <= 0.95 * this.#waitMs;
  }

  #newestWaitedMs(nowMs: number): number {
    return nowMs - this.#waiting.newestArrivedAtMs;
  }

  #run(max: number, firstWaitedMs: number): void {
    const jobs = this.#waiting.takeUnexpired(max, this.#world.clock.nowMs());
    if (jobs.length === 0) return;
    this.#busy = true;
    this.#runs += 1;
    this.#world.run(this.#instance, jobs, (timeMs) => {
      this.#busy = false;
      this.#learn(jobs.length, timeMs, firstWaitedMs);
      this.#look();
    });
  }

  #learn(rows: number, timeMs: number, firstWaitedMs: number): void {
    if (this.#runs <= SKIPPED_RUNS) return;
    keep(this.#samples, { rows, timeMs });
    keep(this.#firstWaitsMs, firstWaitedMs);
    this.#waitMs = mean(this.#firstWaitsMs);
    const [meanRows, meanMs] = [
      mean(this.#samples.map((sample) => sample.rows)),
      mean(this.#samples.map((sample) => sample.timeMs)),
    ];
    let products = 0;
    let squares = 0;
    for (const sample of this.#samples) {
      products += (sample.rows - meanRows) * (sample.timeMs - meanMs);
      squares += (sample.rows - meanRows) ** 2;
    }
    this.#perRowMs = squares > 0 ? Math.max(0, products / squares) : meanMs / meanRows;
    this.#fixedMs = Math.max(0, meanMs - this.#perRowMs * meanRows);
  }
}

function keep<T>(samples: T[], sample: T): void {
  samples.push(sample);
  if (samples.length > SAMPLES) samples.shift();
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
