/**
 * What a version has done since its figures were begun, in the terms of the Open Inference Protocol's
 * statistics. All of it lies in one hash of integers, which every worker adds to; a hash may be missing
 * or lack fields, which are 0 then.
 */

/** A number of things, and the time that they took together. */
export interface Tally {
  readonly count: bigint;
  readonly ns: bigint;
}

/** What is timed for each prediction; a prediction's share of a batch's time is all of it. */
export const TIMED = [
  'success',
  'fail',
  'queue',
  'compute_input',
  'compute_infer',
  'compute_output',
] as const;
export type Timed = (typeof TIMED)[number];

/** What is timed for each batch. */
export const BATCH_TIMED = ['compute_input', 'compute_infer', 'compute_output'] as const;

/** The batches of one size. */
export interface BatchTallies extends Readonly<Record<(typeof BATCH_TIMED)[number], Tally>> {
  /** Rows of each; above `EXACT_ROWS` the next power of two. */
  readonly rows: number;
}

export interface VersionStatistics extends Readonly<Record<Timed, Tally>> {
  /** When a batch last ended; 0 if none ever has. */
  readonly lastInferenceMs: number;
  readonly rows: bigint;
  readonly batches: bigint;
  /** By rising size. */
  readonly batchSizes: readonly BatchTallies[];
}

/** Sizes of batches are counted exactly up to here, so that a version's hash stays small. */
const EXACT_ROWS = 128;

/** The size that a batch of so many rows is counted under. */
export function countedRows(rows: number): number {
  return rows <= EXACT_ROWS ? rows : 2 ** Math.ceil(Math.log2(rows));
}

/** The fields of the hash. */
export const FIELDS = {
  rows: 'rows',
  batches: 'batches',
  lastInferenceMs: 'last_inference_ms',
  count: (timed: Timed) => `${timed}.count`,
  ns: (timed: Timed) => `${timed}.ns`,
  batchCount: (rows: number) => `batch.${rows}.count`,
  batchNs: (rows: number, timed: (typeof BATCH_TIMED)[number]) => `batch.${rows}.${timed}.ns`,
} as const;

const BATCH_COUNT_FIELD = /^batch\.(\d+)\.count$/;

/** Reads the hash. */
export function statisticsFromHash(hash: Readonly<Record<string, string>>): VersionStatistics {
  const integer = (field: string): bigint => {
    const text = hash[field];
    return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : 0n;
  };
  const tally = (timed: Timed): Tally => ({
    count: integer(FIELDS.count(timed)),
    ns: integer(FIELDS.ns(timed)),
  });
  const sizes = Object.keys(hash)
    .flatMap((field) => BATCH_COUNT_FIELD.exec(field)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  return {
    lastInferenceMs: Number(integer(FIELDS.lastInferenceMs)),
    rows: integer(FIELDS.rows),
    batches: integer(FIELDS.batches),
    success: tally('success'),
    fail: tally('fail'),
    queue: tally('queue'),
    compute_input: tally('compute_input'),
    compute_infer: tally('compute_infer'),
    compute_output: tally('compute_output'),
    batchSizes: sizes.map((rows) => {
      const count = integer(FIELDS.batchCount(rows));
      const ofBatch = (timed: (typeof BATCH_TIMED)[number]): Tally => ({
        count,
        ns: integer(FIELDS.batchNs(rows, timed)),
      });
      return {
        rows,
        compute_input: ofBatch('compute_input'),
        compute_infer: ofBatch('compute_infer'),
        compute_output: ofBatch('compute_output'),
      };
    }),
  };
}
