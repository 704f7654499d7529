/** What matters of an entry where deadlines matter. */
export interface DatedEntry {
  readonly rows: number;
  /** Infinity without one. */
  readonly deadlineAtMs: number;
}

export interface DeadlineSituation {
  /** When the batch would start. */
  readonly startAtMs: number;
  /** When another batch could start at the earliest, apart from the one after this. */
  readonly otherStartAtMs: number;
  readonly maxRows: number;
  readonly maxEntries: number;
  /** The expected run time; undefined while nothing is known. */
  readonly estimateMs: (rows: number) => number | undefined;
  /** What a run may well take beyond that, as a share of it. */
  readonly marginShare: number;
  /** The run times are known well enough to give up entries because of them. */
  readonly certain: boolean;
  /** Entries were lost of late: there is more work than time. */
  readonly overloaded: boolean;
}

export interface DeadlineBatch<E> {
  readonly batch: readonly E[];
  /** They cannot make their deadlines, or only at the cost of more others. */
  readonly doomed: readonly E[];
  /** A deadline kept the batch smaller than it could have been. */
  readonly capped: boolean;
}

/** Putting entries off must be worth so many rows; less may be noise. */
const LEAST_GAIN_ROWS = 0.5;

/**
 * Chooses a batch from entries in order of urgency, of which some have deadlines.
 *
 * Those that cannot make it are doomed: running them would take the time of others. The batch is filled
 * in order as long as it ends before every deadline in it; an entry that has too little time left for
 * company of that size is passed over.
 *
 * If the most urgent entries thus force a small batch, and what waits behind them would be late in
 * consequence, there is more work than time, and some of it will be lost whatever is done. Then that
 * batch is chosen that is worth most: its rows less those which others would get done in the same time.
 * The entries before it are put off; they run in time if it was not so bad after all. Once entries have
 * been lost it is certain, and they are given up at once.
 */
export function chooseDeadlineBatch<E extends DatedEntry>(
  entries: readonly E[],
  given: DeadlineSituation,
): DeadlineBatch<E> {
  const situation = { ...given, estimateMs: remembered(given.estimateMs) };
  const doomed = new Set(entries.filter((entry) => isDoomed(entry, situation)));
  const feasible = entries.filter((entry) => !doomed.has(entry));
  const first = fill(feasible, 0, situation);
  const rest = feasible.filter((entry) => !first.batch.includes(entry));
  const chosen =
    first.capped && wouldBeLate(rest, first.rows, situation)
      ? worthMost(feasible, first, situation)
      : first;
  const putOff = feasible.slice(0, chosen.from);
  if (situation.overloaded && situation.certain) for (const entry of putOff) doomed.add(entry);
  return { batch: chosen.batch, doomed: [...doomed], capped: chosen.capped };
}

interface Filled<E> {
  /** Where in the order it begins. */
  readonly from: number;
  readonly batch: readonly E[];
  readonly rows: number;
  readonly capped: boolean;
}

/** Where others wait that can make it, a slim chance is none. */
function isDoomed(entry: DatedEntry, situation: DeadlineSituation): boolean {
  if (!situation.certain || entry.deadlineAtMs === Number.POSITIVE_INFINITY) return false;
  const marginShare = situation.overloaded ? situation.marginShare : 0;
  return entry.deadlineAtMs < likelyEndMs(entry.rows, { ...situation, marginShare });
}

/** Fills a batch in order, from one entry on, which is in it in any case. */
function fill<E extends DatedEntry>(
  entries: readonly E[],
  from: number,
  situation: DeadlineSituation,
): Filled<E> {
  const batch: E[] = [];
  let rows = 0;
  let earliestMs = Number.POSITIVE_INFINITY;
  let capped = false;
  for (
    let index = from;
    index < entries.length && batch.length < situation.maxEntries;
    index += 1
  ) {
    const entry = entries[index];
    if (entry === undefined || rows >= situation.maxRows) break;
    const isFirst = batch.length === 0;
    if (!isFirst && rows + entry.rows > situation.maxRows) continue;
    const endMs = likelyEndMs(rows + entry.rows, situation);
    if (!isFirst && endMs > Math.min(earliestMs, entry.deadlineAtMs)) {
      capped = true;
      if (endMs > earliestMs) break;
      continue;
    }
    batch.push(entry);
    rows += entry.rows;
    earliestMs = Math.min(earliestMs, entry.deadlineAtMs);
  }
  return { from, batch, rows, capped };
}

function likelyEndMs(
  rows: number,
  { startAtMs, estimateMs, marginShare }: DeadlineSituation,
): number {
  return startAtMs + (estimateMs(rows) ?? 0) * (1 + marginShare);
}

/** Whether the next batch misses a deadline if a batch of `rows` goes first. */
function wouldBeLate(
  rest: readonly DatedEntry[],
  rows: number,
  situation: DeadlineSituation,
): boolean {
  const ownStartAtMs = likelyEndMs(rows, situation);
  const { overloaded, otherStartAtMs } = situation;
  // With too much work other instances are no help: there is as much for each of them.
  const startAtMs = overloaded ? ownStartAtMs : Math.min(ownStartAtMs, otherStartAtMs);
  let restRows = 0;
  let earliestMs = Number.POSITIVE_INFINITY;
  for (const entry of rest) {
    if (restRows >= situation.maxRows) break;
    restRows += entry.rows;
    earliestMs = Math.min(earliestMs, entry.deadlineAtMs);
  }
  const nextRows = Math.min(restRows, situation.maxRows);
  return likelyEndMs(nextRows, { ...situation, startAtMs }) > earliestMs;
}

function worthMost<E extends DatedEntry>(
  entries: readonly E[],
  first: Filled<E>,
  situation: DeadlineSituation,
): Filled<E> {
  const { maxRows, estimateMs } = situation;
  const rowsPerMs = maxRows / (estimateMs(maxRows) ?? Number.POSITIVE_INFINITY);
  const worth = ({ rows }: Filled<E>): number => rows - rowsPerMs * (estimateMs(rows) ?? 0);
  let best = first;
  for (let from = 1; from < entries.length; from += 1) {
    const filled = fill(entries, from, situation);
    if (worth(filled) > worth(best) + LEAST_GAIN_ROWS) best = filled;
    if (!filled.capped) break;
  }
  return best;
}

function remembered(estimateMs: DeadlineSituation['estimateMs']): DeadlineSituation['estimateMs'] {
  const known: (number | undefined)[] = [];
  return (rows) => {
    const estimate = known[rows] ?? estimateMs(rows);
    known[rows] = estimate;
    return estimate;
  };
}
