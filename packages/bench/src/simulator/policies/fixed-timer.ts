import type { Policy, World } from '../world.ts';
import { WaitingJobs } from './waiting-jobs.ts';

/** The longest wait as a share of the best batch's time. */
const WAIT_SHARE = 0.1;

/**
 * After Ray Serve's and LitServe's batching: each replica has a queue of its own; the first request
 * starts a timer, and what has come when it rings, or when the batch is full, is run. Requests go to
 * the shorter queue of two drawn at random. Callers that have gone are passed over.
 */
export const fixedTimer: Policy = {
  name: 'timer',
  start: (world: World) => {
    const replicas = Array.from(
      { length: world.instances },
      (_, index) => new Replica(world, index),
    );
    const draw = (): Replica | undefined =>
      replicas[Math.floor(world.random.next() * replicas.length)];
    return (job) => {
      const [one, other] = [draw(), draw()];
      if (one === undefined || other === undefined) return;
      (other.length < one.length ? other : one).add(job);
    };
  },
};

class Replica {
  readonly #world: World;
  readonly #instance: number;
  readonly #waiting = new WaitingJobs();
  #busy = false;
  /** When the timer of the batch that is forming rings; undefined while none forms. */
  #ringsAtMs: number | undefined;

  constructor(world: World, instance: number) {
    this.#world = world;
    this.#instance = instance;
  }

  get length(): number {
    return this.#waiting.size + (this.#busy ? this.#world.tunedBatchSize : 0);
  }

  add(job: Parameters<WaitingJobs['add']>[0]): void {
    this.#waiting.add(job);
    if (!this.#busy) this.#form();
  }

  #form(): void {
    const { clock, tunedBatchSize, profile } = this.#world;
    this.#waiting.dropExpired(clock.nowMs());
    if (this.#waiting.size === 0) {
      this.#ringsAtMs = undefined;
    } else if (this.#ringsAtMs === undefined) {
      const ringsAtMs = clock.nowMs() + profile.timeMs(tunedBatchSize) * WAIT_SHARE;
      this.#ringsAtMs = ringsAtMs;
      clock.setTimer(ringsAtMs, () => {
        if (this.#ringsAtMs === ringsAtMs && !this.#busy) this.#run();
      });
    }
    if (this.#waiting.size >= tunedBatchSize) this.#run();
  }

  #run(): void {
    const { clock, tunedBatchSize } = this.#world;
    this.#ringsAtMs = undefined;
    const jobs = this.#waiting.takeUnexpired(tunedBatchSize, clock.nowMs());
    if (jobs.length === 0) return;
    this.#busy = true;
    this.#world.run(this.#instance, jobs, () => {
      this.#busy = false;
      this.#form();
    });
  }
}
