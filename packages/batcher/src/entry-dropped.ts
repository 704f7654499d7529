import type { Entry } from './entry.ts';

/**
 * - `aborted`: its signal was aborted.
 * - `expired`: its deadline came, or would have come before its run could end.
 * - `drained`: the batcher takes nothing more, or gives back what is queued.
 * - `closed`: the batcher is closed.
 * - `oversized`: it can never be in a batch, as its rows are not between 1 and `maxBatchSize`.
 */
export type DropReason = 'aborted' | 'expired' | 'drained' | 'closed' | 'oversized';

/** The rejection of an entry that was never handed to a run; `reason` says why. */
export class EntryDropped extends Error {
  readonly reason: DropReason;

  constructor(reason: DropReason, message: string) {
    super(message);
    this.name = 'EntryDropped';
    this.reason = reason;
  }

  /** Its result would have come too late; `runMs` is what its run was expected to take. */
  static tooLate(entry: Entry<unknown>, nowMs: number, runMs = 0): EntryDropped {
    const leftMs = Math.max(0, Math.round((entry.deadlineAtMs ?? 0) - nowMs));
    return new EntryDropped(
      'expired',
      `its result would have come after its deadline: ${leftMs} ms were left of ${Math.round((entry.deadlineAtMs ?? 0) - entry.arrivedAtMs)} ms, and a run takes about ${Math.round(runMs)} ms`,
    );
  }

  static because(reason: DropReason, entry: Entry<unknown>, maxBatchSize: number): EntryDropped {
    return new EntryDropped(reason, explain(reason, entry, maxBatchSize));
  }
}

function explain(reason: DropReason, entry: Entry<unknown>, maxBatchSize: number): string {
  switch (reason) {
    case 'aborted':
      return 'the entry was aborted before it ran';
    case 'expired':
      return `no run took the entry within the ${Math.round((entry.deadlineAtMs ?? 0) - entry.arrivedAtMs)} ms from its arrival to its deadline`;
    case 'drained':
      return 'the batcher is draining; the entry did not run and can be run elsewhere';
    case 'closed':
      return 'the batcher is closed; the entry did not run';
    case 'oversized':
      return `the entry has ${entry.rows} rows, expected an integer from 1 to maxBatchSize, which is ${maxBatchSize}`;
  }
}
