import type { Job } from '../world.ts';

/** First in, first out; taking from the front costs nothing however many wait. */
export class WaitingJobs {
  #jobs: Job[] = [];
  #first = 0;

  get size(): number {
    return this.#jobs.length - this.#first;
  }

  get oldest(): Job | undefined {
    return this.#jobs[this.#first];
  }

  /** When the newest came; -Infinity when none waits. */
  get newestArrivedAtMs(): number {
    return this.size > 0 ? (this.#jobs.at(-1)?.arrivedAtMs ?? 0) : Number.NEGATIVE_INFINITY;
  }

  add(job: Job): void {
    this.#jobs.push(job);
  }

  /** Takes the oldest out. */
  shift(): Job | undefined {
    const job = this.#jobs[this.#first];
    if (job === undefined) return undefined;
    this.#first += 1;
    if (this.#first > 1024 && this.#first * 2 > this.#jobs.length) {
      this.#jobs = this.#jobs.slice(this.#first);
      this.#first = 0;
    }
    return job;
  }

  /** Takes up to `count` out, passing over (and forgetting) those whose deadline has come. */
  takeUnexpired(count: number, nowMs: number): Job[] {
    const taken: Job[] = [];
    while (taken.length < count) {
      const job = this.shift();
      if (job === undefined) break;
      if (job.deadlineAtMs > nowMs) taken.push(job);
    }
    return taken;
  }

  /** Forgets the expired ones at the front. */
  dropExpired(nowMs: number): void {
    while (this.oldest !== undefined && this.oldest.deadlineAtMs <= nowMs) this.shift();
  }
}
