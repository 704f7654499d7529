import { type Prediction, type PredictionStatus, QuernError } from '@quern/contract';
import type { Redis } from 'ioredis';
import { predictionIndexKey } from './keys.ts';

export interface ListQuery {
  readonly model?: string;
  readonly status?: PredictionStatus;
  /** From an earlier page's `next`. */
  readonly cursor?: string;
  /** Page size. */
  readonly limit: number;
}

/** Of succeeded predictions only small outputs are read: a page must not become gigabytes. */
export interface PredictionPage {
  readonly predictions: readonly Prediction[];
  /** Absent on the last page. */
  readonly next?: string;
}

interface IndexEntry {
  readonly model: string;
  readonly id: string;
  readonly createdAtMs: number;
}

/** A filtered list looks at no more than this many predictions for one page; the cursor goes on. */
const MAX_SCANNED = 1000;
const SCAN_STEP = 100;

/** Puts a new prediction on its model's list, also where an earlier one under the same id still stands. */
export function indexPrediction(
  redis: Redis,
  model: string,
  id: string,
  createdAtMs: number,
): Promise<unknown> {
  return redis.zadd(predictionIndexKey(model), createdAtMs, id);
}

/** Reads one prediction; undefined if its retention has ended. */
type ReadPrediction = (model: string, id: string) => Promise<Prediction | undefined>;

/**
 * Lists predictions, newest first, over one model or several. The cursor is the place of the last one
 * looked at, so pages stay put while new predictions arrive.
 * @throws QuernError `INVALID_REQUEST` for a cursor that is not from here
 */
export async function listPredictions(
  redis: Redis,
  models: readonly string[],
  query: ListQuery,
  read: ReadPrediction,
): Promise<PredictionPage> {
  const found: Prediction[] = [];
  let position = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
  for (let scanned = 0; scanned < MAX_SCANNED; scanned += SCAN_STEP) {
    const entries = await entriesAfter(redis, models, position);
    const isLastStep = entries.length < SCAN_STEP;
    const predictions = await Promise.all(entries.map(({ model, id }) => read(model, id)));
    for (const [i, entry] of entries.entries()) {
      position = entry;
      const prediction = predictions[i];
      if (prediction === undefined) continue;
      if (query.status !== undefined && prediction.status !== query.status) continue;
      found.push(prediction);
      if (found.length < query.limit) continue;
      if (isLastStep && i === entries.length - 1) return { predictions: found };
      return { predictions: found, next: encodeCursor(entry) };
    }
    if (isLastStep) return { predictions: found };
  }
  return { predictions: found, ...(position !== undefined && { next: encodeCursor(position) }) };
}

/** The next `SCAN_STEP` entries of all models together, newest first; ids break ties. */
async function entriesAfter(
  redis: Redis,
  models: readonly string[],
  position: IndexEntry | undefined,
): Promise<IndexEntry[]> {
  const from = position === undefined ? '+inf' : position.createdAtMs;
  const lists = await Promise.all(
    models.map((model) => entriesOfModel(redis, model, from, position)),
  );
  return lists.flat().sort(compareNewestFirst).slice(0, SCAN_STEP);
}

async function entriesOfModel(
  redis: Redis,
  model: string,
  from: number | '+inf',
  position: IndexEntry | undefined,
): Promise<IndexEntry[]> {
  const entries: IndexEntry[] = [];
  // Entries of the cursor's millisecond may all lie before it: read on until enough lie behind.
  for (let offset = 0; entries.length < SCAN_STEP; offset += SCAN_STEP) {
    const flat = await redis.zrange(
      predictionIndexKey(model),
      from,
      '-inf',
      'BYSCORE',
      'REV',
      'LIMIT',
      offset,
      SCAN_STEP,
      'WITHSCORES',
    );
    for (let i = 0; i < flat.length; i += 2) {
      const entry = { model, id: flat[i] ?? '', createdAtMs: Number(flat[i + 1]) };
      if (position === undefined || compareNewestFirst(position, entry) < 0) entries.push(entry);
    }
    if (flat.length < 2 * SCAN_STEP) break;
  }
  return entries;
}

function compareNewestFirst(a: IndexEntry, b: IndexEntry): number {
  if (a.createdAtMs !== b.createdAtMs) return b.createdAtMs - a.createdAtMs;
  if (a.id !== b.id) return a.id < b.id ? 1 : -1;
  return 0;
}

function encodeCursor({ createdAtMs, id, model }: IndexEntry): string {
  return Buffer.from(JSON.stringify([createdAtMs, id, model])).toString('base64url');
}

function decodeCursor(cursor: string): IndexEntry {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const [createdAtMs, id, model] = Array.isArray(parsed) ? parsed : [];
    if (Number.isSafeInteger(createdAtMs) && typeof id === 'string' && typeof model === 'string') {
      return { createdAtMs, id, model };
    }
  } catch {
    // Reported below like any other cursor that is not ours.
  }
  throw new QuernError('INVALID_REQUEST', 'cursor: not a cursor from an earlier page', {
    details: { path: 'cursor' },
  });
}
