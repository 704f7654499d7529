import { BatcherCounters, type BatcherStats } from './batcher-stats.ts';
import type { Clock } from './clock.ts';
import { DeadlineKeeper } from './deadline-keeper.ts';
import { type Decision, decide } from './decide.ts';
import type { Batch, BatchResult, Entry } from './entry.ts';
import { type DropReason, EntryDropped } from './entry-dropped.ts';
import { EntryQueue } from './entry-queue.ts';
import type { InFlightBatch, InstanceSlot } from './instance-slot.ts';
import { InstanceSlots } from './instance-slots.ts';
import type { Lane } from './lane.ts';
import { LaneProfiles } from './lane-profiles.ts';
import { MemoryCap, runCost } from './memory-cap.ts';
import { QueuedEntry } from './queued-entry.ts';
import { assertSettings, type BatchingSettings } from './settings.ts';
import { OWN_DEVICE, type TurnGate } from './turn-gate.ts';
import { WakeUp } from './wake-up.ts';

type RunDecision<P, R> = Extract<Decision<Lane<P, R>, InstanceSlot<P, R>>, { kind: 'run' }>;

/** Told of each batch when it has been handed over. */
export interface BatchFormed<P> {
  readonly batch: Batch<P>;
  /** The batch's rows as a share of `maxBatchSize`. */
  readonly fillRatio: number;
  /** How long each entry had waited since its arrival, in the batch's order. */
  readonly queueTimesMs: readonly number[];
}

export interface BatcherOptions<P, R> {
  readonly settings: BatchingSettings;
  /** How many instances there are, or their keys; see `setInstances`. */
  readonly instances: number | readonly number[];
  readonly clock: Clock;
  /**
   * Runs a batch. Called for at most two batches for each instance at a time: one that runs and one
   * that is prefetched. The batch names the instance it was formed for; a handler that balances by
   * itself may choose another. Resolves to one outcome per entry when the instance is free again;
   * rejects if all entries fail with that error. Calls may end in any order.
   */
  readonly run: (batch: Batch<P>) => Promise<BatchResult<R>>;
  /**
   * What is known of run times, and where what is learnt goes.
   *
   * @default nothing is known
   */
  readonly profiles?: LaneProfiles;
  /** Asked before each batch; by default every instance has its device to itself. */
  readonly turns?: TurnGate;
  /** Must not throw. */
  readonly onBatch?: (formed: BatchFormed<P>) => void;
  /**
   * What a batch may cost, and where it is noted that batches went through.
   *
   * @default unlimited
   */
  readonly memoryCap?: MemoryCap;
}

export interface DrainOptions {
  /**
   * What becomes of entries that no run has taken: `return` drops them as `drained`, so that they can
   * be given back; `run` still runs them, without waiting for more.
   *
   * @default 'return'
   */
  readonly queued?: 'return' | 'run';
}

/**
 * Gathers entries into batches: many `submit()` in, few `run(batch)` out.
 *
 * The batcher is `open` until `drain()` (`draining`: nothing is accepted) or `close()` (`closed`: what
 * is queued is dropped as well). An entry is queued from `submit()` until it is taken into a batch or
 * dropped: as `aborted` when its signal says so, as `expired` at its deadline, as `drained` or `closed`.
 * Taken, it is the run's, and its promise settles with its outcome.
 *
 * When to form which batch is `decide`'s business. It is asked once for each turn of the event loop
 * in which something changed, and when the time comes that it named; nothing is polled.
 */
export class Batcher<P, R> {
  /** What is known of run times; it grows with every batch. */
  readonly profiles: LaneProfiles;
  /** Keeps batches small after memory ran out; whoever runs them says when. */
  readonly memoryCap: MemoryCap;
  readonly #run: BatcherOptions<P, R>['run'];
  readonly #onBatch: BatcherOptions<P, R>['onBatch'];
  readonly #turns: TurnGate;
  readonly #clock: Clock;
  readonly #settings: BatchingSettings;
  readonly #counters = new BatcherCounters();
  readonly #queue = new EntryQueue<P, R>();
  readonly #slots = new InstanceSlots<P, R>();
  readonly #deadlines = new DeadlineKeeper();
  readonly #wakeUp: WakeUp;
  #state: 'open' | 'draining' | 'closed' = 'open';
  #lastBatchId = 0;
  #drained: Promise<void> | undefined;
  #resolveDrained: (() => void) | undefined;

  /** @throws RangeError for settings that make no sense. */
  constructor(options: BatcherOptions<P, R>) {
    assertSettings(options.settings);
    this.#settings = options.settings;
    this.#clock = options.clock;
    this.#run = options.run;
    this.#onBatch = options.onBatch;
    this.#turns = options.turns ?? OWN_DEVICE;
    this.memoryCap = options.memoryCap ?? new MemoryCap();
    this.profiles = options.profiles ?? new LaneProfiles();
    this.#wakeUp = new WakeUp(options.clock, () => this.#formBatches());
    this.setInstances(options.instances);
  }

  /**
   * Resolves or rejects with the entry's outcome.
   *
   * @throws EntryDropped (as a rejection) if no run took the entry: it was aborted, it expired, the
   *   batcher drains or is closed, or it has more rows than `maxBatchSize`.
   */
  submit(entry: Entry<P>): Promise<R> {
    this.#counters.submitted += 1;
    const refusal = this.#refusal(entry);
    if (refusal !== undefined) return Promise.reject(this.#dropped(refusal, entry));
    return new Promise<R>((resolve, reject) => {
      const queued = new QueuedEntry<P, R>(entry, resolve, reject, this.#abort);
      queued.listenForAbort();
      this.#queue.add(queued);
      this.#deadlines.submitted(entry);
      this.#wakeUp.soon();
    });
  }

  /**
   * Drops an entry as `aborted` if it is still queued; false if it is not. A signal does the same by
   * itself, but listening to one costs some microseconds for each entry.
   */
  abort(entry: Entry<P>): boolean {
    const queued = this.#queue.find(entry);
    if (queued === undefined) return false;
    this.#abort(queued);
    return true;
  }

  /**
   * Says which instances can run batches now: so many (0, 1, ...), or those with these keys. Instances
   * that go keep their batches until these end. With none, entries wait.
   */
  setInstances(instances: number | readonly number[]): void {
    this.#slots.set(instances);
    this.#wakeUp.soon();
  }

  /** The most rows that a batch of entries like this one may have now. */
  maxRowsFor({ elementsPerRow = 1 }: Pick<Entry<P>, 'elementsPerRow'>): number {
    return Math.min(this.#settings.maxBatchSize, this.memoryCap.rowsWithin(elementsPerRow));
  }

  /** To be called when the gate may grant a turn that it refused. */
  wake(): void {
    this.#wakeUp.soon();
  }

  /** Accepts nothing more; resolves when nothing is queued and no batch is running. */
  drain({ queued = 'return' }: DrainOptions = {}): Promise<void> {
    if (this.#state === 'open') this.#state = 'draining';
    if (queued === 'return') this.#dropAll('drained');
    this.#wakeUp.soon();
    return this.#whenDrained();
  }

  /** Drops what is queued; resolves when no batch is running. Can be called again. */
  close(): Promise<void> {
    this.#state = 'closed';
    this.#dropAll('closed');
    this.#wakeUp.cancel();
    this.#turns.withdraw();
    return this.#whenDrained();
  }

  stats(): BatcherStats {
    const { dropped, batches, ...counters } = this.#counters;
    return {
      ...counters,
      queuedEntries: this.#queue.entries,
      queuedRows: this.#queue.rows,
      oldestArrivedAtMs: this.#queue.oldestArrivedAtMs(),
      instances: this.#slots.available.length,
      memoryCapElements: this.memoryCap.elements,
      idleInstances: this.#slots.available.filter((slot) => slot.state === 'idle').length,
      dropped: { ...dropped },
      batches: { ...batches },
    };
  }

  #formBatches(): void {
    const nowMs = this.#clock.nowMs();
    for (const queued of this.#queue.takeExpired(nowMs)) this.#drop(queued, 'expired');
    let untilMs: number | undefined;
    let waitsForTurn = false;
    while (this.#queue.entries > 0) {
      const decision = decide(nowMs, {
        lanes: this.#queue.lanes,
        instances: this.#slots.available,
        profiles: this.profiles,
        settings: this.#settingsNow(),
        draining: this.#state !== 'open',
        shortestTimeLimitMs: this.#deadlines.shortestTimeLimitMs(nowMs),
      });
      if (decision.kind === 'wait') {
        untilMs = decision.untilMs;
        break;
      }
      const { state } = decision.instance;
      const mayRun = state === 'idle' ? this.#turns.start() : this.#turns.mayPrefetch();
      waitsForTurn = !mayRun && state === 'idle';
      if (!mayRun) break;
      this.#dispatch(nowMs, decision);
    }
    if (!waitsForTurn) this.#turns.withdraw();
    this.#wakeUp.at(Math.min(untilMs ?? Infinity, this.#queue.expiryDueAtMs));
    this.#checkDrained();
  }

  #dispatch(nowMs: number, decision: RunDecision<P, R>): void {
    const { lane, instance: slot } = decision;
    const maxRows = Math.min(decision.maxRows, this.memoryCap.rowsWithin(lane.elementsPerRow));
    const { queued, capped } = this.#takeBatch(nowMs, decision, maxRows);
    if (queued.length === 0) {
      if (slot.state === 'idle') this.#turns.end();
      return;
    }
    let rows = 0;
    for (const { entry } of queued) rows += entry.rows;
    const batch: Batch<P> = {
      id: ++this.#lastBatchId,
      lane: lane.name,
      entries: queued.map(({ entry }) => entry),
      rows,
      reason: capped ? 'deadline' : decision.reason,
      formedAtMs: nowMs,
      instance: slot.instance,
      prefetched: slot.state === 'running',
    };
    const profile = this.profiles.of(lane.name);
    if (decision.probe && rows === maxRows) profile.probeStarted(maxRows);
    else if (decision.probe) profile.probeFailed(maxRows);
    const inFlight = { batch, queued, slot, expectedRunMs: profile.estimateMs(rows) };
    slot.accept(inFlight, nowMs);
    for (const taken of queued) taken.stopListening();
    this.#counters.batchFormed(batch);
    void this.#runBatch(inFlight);
    this.#onBatch?.({
      batch,
      fillRatio: rows / this.#settings.maxBatchSize,
      queueTimesMs: batch.entries.map((entry) => nowMs - entry.arrivedAtMs),
    });
  }

  /** Takes the entries of a batch out of their lane, and drops those on the way that would be late. */
  #takeBatch(
    nowMs: number,
    { lane, instance, maxEntries }: RunDecision<P, R>,
    maxRows: number,
  ): { queued: readonly QueuedEntry<P, R>[]; capped: boolean } {
    if (lane.earliestDeadlineAtMs === Number.POSITIVE_INFINITY) {
      return { queued: this.#queue.take(lane, maxRows, maxEntries), capped: false };
    }
    const profile = this.profiles.of(lane.name);
    const { batch, doomed, capped } = this.#deadlines.choose({
      nowMs,
      lane,
      profile,
      instance,
      instances: this.#slots.available,
      maxRows,
      maxEntries,
    });
    for (const queued of this.#queue.takeThese(lane, doomed)) {
      queued.stopListening();
      this.#counters.dropped.expired += 1;
      queued.reject(EntryDropped.tooLate(queued.entry, nowMs, profile.estimateMs(queued.rows)));
    }
    return { queued: this.#queue.takeThese(lane, batch), capped };
  }

  async #runBatch(inFlight: InFlightBatch<P, R>): Promise<void> {
    let result: BatchResult<R>;
    try {
      result = await this.#run(inFlight.batch);
      assertOutcomes(inFlight.batch, result);
    } catch (error) {
      const outcome = { ok: false, error } as const;
      result = { outcomes: inFlight.queued.map(() => outcome) };
    }
    const allSucceeded = this.#settle(inFlight, result);
    this.#release(inFlight, allSucceeded && (result.timeIsTypical ?? true), result);
  }

  /** Settles each entry; true if all succeeded. */
  #settle({ queued }: InFlightBatch<P, R>, { outcomes }: BatchResult<R>): boolean {
    let failed = 0;
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.ok) {
        queued[index]?.resolve(outcome.value);
      } else {
        failed += 1;
        queued[index]?.reject(outcome.error);
      }
    }
    this.#counters.failed += failed;
    this.#counters.succeeded += outcomes.length - failed;
    return failed === 0;
  }

  #release(inFlight: InFlightBatch<P, R>, learn: boolean, result: BatchResult<R>): void {
    const { batch, slot } = inFlight;
    const { deviceMs = 0, instanceMs = Infinity } = result;
    this.#counters.batchEnded(batch);
    const runMs = slot.release(inFlight, this.#clock.nowMs());
    this.#deadlines.runEnded(this.#clock.nowMs());
    if (learn && runMs !== undefined) {
      this.profiles
        .of(batch.lane)
        .observe(batch.rows, Math.max(deviceMs, Math.min(runMs, instanceMs)));
    }
    if (learn) this.memoryCap.succeeded(runCost(batch.entries), this.#clock.nowMs());
    this.#slots.forgetIfGone(slot);
    this.#turns.charge(result.deviceMs ?? runMs ?? 0);
    if (slot.state === 'idle') this.#turns.end();
    // With less than a batch waiting, those whose results come now may bring more at once.
    if (this.#queue.rows >= this.#settings.maxBatchSize) this.#formBatches();
    else this.#wakeUp.soon();
  }

  /** With the batch size that the memory cap leaves; `#dispatch` keeps each lane to its own. */
  #settingsNow(): BatchingSettings {
    if (this.memoryCap.elements === Number.POSITIVE_INFINITY) return this.#settings;
    let maxBatchSize = 1;
    for (const lane of this.#queue.lanes) {
      maxBatchSize = Math.max(maxBatchSize, this.maxRowsFor(lane));
    }
    return { ...this.#settings, maxBatchSize };
  }

  readonly #abort = (queued: QueuedEntry<P, R>): void => {
    this.#queue.remove(queued);
    this.#drop(queued, 'aborted');
    this.#wakeUp.soon();
  };

  #dropAll(reason: DropReason): void {
    for (const queued of this.#queue.takeAll()) this.#drop(queued, reason);
  }

  /** Rejects an entry that was taken out of its lane. */
  #drop(queued: QueuedEntry<P, R>, reason: DropReason): void {
    queued.stopListening();
    queued.reject(this.#dropped(reason, queued.entry));
  }

  #refusal(entry: Entry<P>): DropReason | undefined {
    if (this.#state !== 'open') return this.#state === 'closed' ? 'closed' : 'drained';
    const { rows } = entry;
    if (!Number.isSafeInteger(rows) || rows < 1 || rows > this.#settings.maxBatchSize) {
      return 'oversized';
    }
    if (entry.signal?.aborted) return 'aborted';
    if (entry.deadlineAtMs !== undefined && entry.deadlineAtMs <= this.#clock.nowMs()) {
      return 'expired';
    }
    return undefined;
  }

  #dropped(reason: DropReason, entry: Entry<P>): EntryDropped {
    this.#counters.dropped[reason] += 1;
    return EntryDropped.because(reason, entry, this.#settings.maxBatchSize);
  }

  #whenDrained(): Promise<void> {
    this.#drained ??= new Promise((resolve) => {
      this.#resolveDrained = resolve;
    });
    this.#checkDrained();
    return this.#drained;
  }

  #checkDrained(): void {
    if (this.#queue.entries === 0 && this.#counters.inFlightBatches === 0) {
      this.#resolveDrained?.();
    }
  }
}

function assertOutcomes(batch: Batch<unknown>, { outcomes }: BatchResult<unknown>): void {
  if (outcomes.length === batch.entries.length) return;
  throw new Error(
    `the run of batch ${batch.id} returned ${outcomes.length} outcomes, expected one for each of its ${batch.entries.length} entries`,
  );
}
