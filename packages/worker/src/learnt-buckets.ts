/** What the learning goes by; tests make it smaller. */
export interface LearningSettings {
  /** The most buckets that are learnt. */
  readonly maxBuckets: number;
  /** As few buckets as keep the padded share of what arrived below this. */
  readonly maxPaddingRatio: number;
  /** Lengths seen between two plans. */
  readonly planEvery: number;
  /** No length is padded beyond this. */
  readonly maxLength: number;
}

const LEARNING_DEFAULTS: LearningSettings = {
  maxBuckets: 12,
  maxPaddingRatio: 0.1,
  planEvery: 1024,
  maxLength: Number.POSITIVE_INFINITY,
};

/** The first plan is made early, so that it is there before the queue is long. */
const FIRST_PLAN_AFTER = 32;

/** Near lengths are counted together: this many cells between a power of two and the next. */
const CELLS_PER_OCTAVE = 8;

/** What was counted loses this share of its weight with each plan. */
const FORGET = 0.5;

/** Weights below this are dropped, so that what came once is not remembered for ever. */
const FORGOTTEN = 1e-3;

interface Cell {
  /** How many lengths fell into it, older ones weighing less. */
  weight: number;
  /** The sum of those lengths, weighing likewise. */
  total: number;
  /** The largest of them: where a bucket would end. */
  longest: number;
}

/**
 * Learns to which lengths a dimension is best padded, from the lengths that arrive. It goes by counts
 * alone, not by the clock: the same lengths in the same order give the same buckets.
 *
 * Lengths are counted in cells of near ones. Every so often a plan is made: of all sets of buckets that
 * end at the largest length of some cell, the one that adds the fewest elements to what was counted,
 * with as few buckets as keep that share low. Then the counts are halved, so that the plan follows
 * what changes. A length goes to the smallest bucket that holds it, if that is less than twice as long;
 * else to the next power of two. So never more than half of an entry is padding, and there are never
 * more distinct lengths than the learnt ones and the powers of two.
 */
export class LearntBuckets {
  readonly #settings: LearningSettings;
  readonly #cells = new Map<number, Cell>();
  #buckets: readonly number[] = [];
  #untilPlan = FIRST_PLAN_AFTER;
  #plans = 0;

  /** @param buckets learnt earlier: what it begins with, until it has seen enough to make a plan */
  constructor(settings: Partial<LearningSettings> = {}, buckets: readonly number[] = []) {
    this.#settings = { ...LEARNING_DEFAULTS, ...settings };
    const known = buckets.filter((length) => length <= this.#settings.maxLength);
    this.#buckets = [...new Set(known)].sort((a, b) => a - b).slice(-this.#settings.maxBuckets);
    // An early plan from few lengths would throw away what many have taught.
    if (this.#buckets.length > 0) this.#untilPlan = this.#settings.planEvery;
  }

  /** Ascending; empty until enough has arrived. */
  get buckets(): readonly number[] {
    return this.#buckets;
  }

  /** Changes when buckets may have changed. */
  get plans(): number {
    return this.#plans;
  }

  /** Takes note of a length that arrived. */
  observe(length: number): void {
    if (length < 1 || length > this.#settings.maxLength) return;
    const cell = this.#cells.get(cellOf(length));
    if (cell === undefined) {
      this.#cells.set(cellOf(length), { weight: 1, total: length, longest: length });
    } else {
      cell.weight += 1;
      cell.total += length;
      cell.longest = Math.max(cell.longest, length);
    }
    this.#untilPlan -= 1;
    if (this.#untilPlan === 0) this.#plan();
  }

  /** The length to pad to; the length itself beyond `maxLength`. */
  bucketOf(length: number): number {
    const { maxLength } = this.#settings;
    if (length < 1 || length > maxLength) return length;
    const bucket = this.#buckets.find((candidate) => candidate >= length);
    if (bucket !== undefined && bucket < 2 * length) return bucket;
    return Math.min(2 ** Math.ceil(Math.log2(length)), maxLength);
  }

  #plan(): void {
    const cells = [...this.#cells.values()].sort((a, b) => a.longest - b.longest);
    this.#buckets = planBuckets(cells, this.#settings);
    this.#plans += 1;
    this.#untilPlan = this.#settings.planEvery;
    for (const [key, cell] of this.#cells) {
      cell.weight *= FORGET;
      cell.total *= FORGET;
      if (cell.weight < FORGOTTEN) this.#cells.delete(key);
    }
  }
}

/** Lengths up to 8 have a cell each. */
function cellOf(length: number): number {
  const octave = Math.floor(Math.log2(length));
  return octave * CELLS_PER_OCTAVE + Math.floor((length / 2 ** octave - 1) * CELLS_PER_OCTAVE);
}

/**
 * The buckets for counted cells. `cost[j]` is the least that padding adds to the cells up to `j` if a
 * bucket ends there, for one bucket more in each round; `from[j]` is the cell at which the bucket
 * before it ends.
 */
function planBuckets(cells: readonly Cell[], settings: LearningSettings): number[] {
  const real = cells.reduce((sum, { total }) => sum + total, 0);
  const weights = prefixSums(cells.map(({ weight }) => weight));
  const totals = prefixSums(cells.map(({ total }) => total));
  const added = (first: number, last: number) =>
    (cells[last]?.longest ?? 0) * between(weights, first, last) - between(totals, first, last);
  const rounds: number[][] = [];
  let cost = cells.map((_, last) => added(0, last));
  for (let count = 1; ; count++) {
    const extra = cost.at(-1) ?? 0;
    const isGood = extra <= settings.maxPaddingRatio * (real + extra);
    if (isGood || count >= Math.min(settings.maxBuckets, cells.length)) break;
    const before = cost;
    const from: number[] = [];
    cost = cells.map((_, last) => {
      let least = before[last] ?? 0;
      from[last] = -1;
      for (let end = 0; end < last; end++) {
        const total = (before[end] ?? 0) + added(end + 1, last);
        if (total < least) {
          least = total;
          from[last] = end;
        }
      }
      return least;
    });
    rounds.push(from);
  }
  return endsOf(cells, rounds);
}

/** Walks back from the last cell through the rounds; -1 says that a round added nothing. */
function endsOf(cells: readonly Cell[], rounds: readonly (readonly number[])[]): number[] {
  const ends: number[] = [];
  let last = cells.length - 1;
  if (last >= 0) ends.push(cells[last]?.longest ?? 0);
  for (const from of rounds.toReversed()) {
    const end = from[last] ?? -1;
    if (end === -1) continue;
    ends.push(cells[end]?.longest ?? 0);
    last = end;
  }
  return ends.reverse();
}

function prefixSums(values: readonly number[]): number[] {
  const sums = [0];
  for (const value of values) sums.push((sums.at(-1) ?? 0) + value);
  return sums;
}

function between(sums: readonly number[], first: number, last: number): number {
  return (sums[last + 1] ?? 0) - (sums[first] ?? 0);
}
