import { z } from 'zod';

/** A record holds at most so many lanes, those with the most runs. */
const MAX_PROFILE_LANES = 16;
/** Four sizes to an octave: enough for batches of more than a million rows. */
const MAX_SIZES = 80;
/** Learnt buckets: more axes or lengths than a model pads are not worth their place. */
const MAX_LEARNT_AXES = 16;
const MAX_LEARNT_BUCKETS = 64;
/** A lane is named after shapes; a longer name is not worth its place. */
const MAX_LANE_NAME = 200;
/** No record is larger, so that a model's hash stays small whatever arrives. */
const MAX_PROFILE_BYTES = 65_536;
/** Nothing that nobody has refreshed for so long is believed. */
export const PROFILE_TTL_MS = 28 * 24 * 3_600_000;

const runTimeSchema = z.object({
  /** Mean rows of the batches of about this size. */
  rows: z.number().positive(),
  /** How long an instance is busy with such a batch, ms. */
  timeMs: z.number().positive(),
  /** Batches observed by the worker that saved it; 0 for an expectation. */
  runs: z.number().int().nonnegative().default(0),
});

const laneSchema = z.object({
  samples: z.array(runTimeSchema).max(MAX_SIZES),
  /** The batch size that runs the most rows per second; absent while it is not known. */
  knee: z.number().int().positive().optional(),
});
export type LaneProfileRecord = z.infer<typeof laneSchema>;

/** What one version takes on one kind of device, as it was learnt. */
export const profileRecordSchema = z.object({
  /** Records of another format are passed over. */
  format: z.literal(1),
  version: z.number().int().positive(),
  /** Of the version's files: run times of another file under the same number are not believed. */
  fingerprint: z.string(),
  executionProvider: z.string(),
  /** The device and its threads, e.g. `amd-epyc-7b13.2t`. */
  device: z.string(),
  /** The largest batch when it was learnt. */
  maxBatchSize: z.number().int().positive(),
  savedAtMs: z.number(),
  /** Measured at warm-up, for lanes that were never seen. */
  seed: z.array(runTimeSchema).max(MAX_SIZES),
  seedKnee: z.number().int().positive().optional(),
  lanes: z.record(z.string().max(MAX_LANE_NAME), laneSchema),
  /**
   * The lengths to which each learnt axis is padded, ascending, in the order of the model's axes. Lanes
   * are named after them: without them a new worker would know run times of lanes that it does not use.
   */
  buckets: z
    .array(z.array(z.number().int().positive()).max(MAX_LEARNT_BUCKETS))
    .max(MAX_LEARNT_AXES)
    .optional(),
});
export type ProfileRecord = z.infer<typeof profileRecordSchema>;

/** Two records may speak of the same run times. */
function isSameProfile(a: ProfileRecord, b: ProfileRecord): boolean {
  return profileField(a) === profileField(b) && a.fingerprint === b.fingerprint;
}

/** The record's field in the hash of its model. */
export function profileField(
  record: Pick<ProfileRecord, 'version' | 'executionProvider' | 'device'>,
): string {
  return `${record.version}|${record.executionProvider}|${record.device}`;
}

/**
 * What to store when a worker saves: its own lanes, and of what is stored those that it has not seen,
 * as far as there is room. Of the same lane the writer's times win: it measured them last, on the same
 * kind of device. Run times of other files are dropped.
 */
export function mergeProfile(stored: ProfileRecord | undefined, own: ProfileRecord): ProfileRecord {
  const same = stored !== undefined && isSameProfile(stored, own) ? stored : undefined;
  const others = same?.lanes ?? {};
  const buckets = own.buckets ?? same?.buckets;
  const unseen = Object.entries(others).filter(([lane]) => own.lanes[lane] === undefined);
  const lanes = [...byRuns(Object.entries(own.lanes)), ...byRuns(unseen)]
    .filter(([lane]) => lane.length <= MAX_LANE_NAME)
    .slice(0, MAX_PROFILE_LANES)
    .map(([lane, profile]) => [lane, compactLane(profile)] as const);
  return {
    ...own,
    seed: own.seed.slice(0, MAX_SIZES).map(compact),
    lanes: Object.fromEntries(lanes),
    ...(buckets !== undefined && { buckets }),
  };
}

/** The record's JSON, with fewer lanes where it would be too long. */
export function profileText(record: ProfileRecord): string {
  let entries = Object.entries(record.lanes);
  for (;;) {
    const text = JSON.stringify({ ...record, lanes: Object.fromEntries(entries) });
    if (Buffer.byteLength(text) <= MAX_PROFILE_BYTES || entries.length === 0) return text;
    entries = entries.slice(0, Math.floor(entries.length / 2));
  }
}

type LaneEntry = [string, LaneProfileRecord];

function byRuns(lanes: LaneEntry[]): LaneEntry[] {
  const runsOf = ([, { samples }]: LaneEntry): number =>
    samples.reduce((sum, { runs }) => sum + runs, 0);
  return lanes.toSorted((a, b) => runsOf(b) - runsOf(a));
}

function compactLane({ samples, knee }: LaneProfileRecord): LaneProfileRecord {
  return {
    samples: samples.slice(0, MAX_SIZES).map(compact),
    ...(knee !== undefined && { knee }),
  };
}

/** Four digits are finer than any measurement. */
function compact({ rows, timeMs, runs }: ProfileRecord['seed'][number]) {
  return { rows: Number(rows.toPrecision(4)), timeMs: Number(timeMs.toPrecision(4)), runs };
}
