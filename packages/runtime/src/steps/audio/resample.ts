/** Zero crossings of the filter on each side, in samples of the lower rate. */
const ZERO_CROSSINGS = 64;
/** The middle of the filter's slope, as a share of half of the lower rate; the slope ends at 1. */
const CUTOFF = 0.953;
/** The Kaiser window's shape: a stop band of about 90 dB. */
const KAISER_BETA = 8.96;
/** Points of the filter's table from one zero crossing to the next; between them it is linear. */
const TABLE_STEPS = 512;
/** At most so many places between two input samples have weights of their own. */
const MAX_PHASES = 1024;
/** The most weights of all places together, for rates that are far apart. */
const MAX_WEIGHTS = 2 ** 22;

let filterTable: Float64Array | undefined;

/**
 * Converts samples to another rate by a windowed sinc: each output sample is the input around its time,
 * weighted by an ideal low-pass filter that a Kaiser window makes finite. Tested with sines: up to 90 %
 * of half of the lower rate, levels are kept to 0.01 dB; what lies above that half is at least 90 dB
 * down. The input counts as silent before its start and after its end.
 *
 * Every pair of usual rates is converted exactly. A ratio of more than 1024 phases (44,101 to 16,000)
 * is taken as the nearest one of fewer, which is off by less than 0.1 %, and by millionths as a rule.
 * @returns ceil(length * toHz / fromHz) samples; the input itself where the rates are equal
 */
export function resample(input: Float32Array, fromHz: number, toHz: number): Float32Array {
  if (fromHz === toHz) return input;
  const scale = Math.min(1, toHz / fromHz);
  const taps = Math.ceil((2 * ZERO_CROSSINGS) / scale) + 1;
  const mostPhases = Math.min(MAX_PHASES, Math.ceil(MAX_WEIGHTS / taps));
  const [stride, phases] = nearestRatio(fromHz, toHz, mostPhases);
  const filters = Array.from({ length: phases }, (_, phase) => phaseFilter(phase / phases, scale));
  const output = new Float32Array(Math.ceil((input.length * toHz) / fromHz));
  for (let i = 0; i < output.length; i++) {
    const position = i * stride;
    const filter = filters[position % phases];
    if (filter !== undefined) output[i] = weigh(input, filter, Math.floor(position / phases));
  }
  return output;
}

interface PhaseFilter {
  readonly weights: Float64Array;
  /** Where the first weight stands, relative to the input sample at or before the output's time. */
  readonly first: number;
}

function weigh(input: Float32Array, { weights, first }: PhaseFilter, at: number): number {
  const start = at + first;
  const from = Math.max(0, -start);
  const to = Math.min(weights.length, input.length - start);
  let sum = 0;
  for (let tap = from; tap < to; tap++) {
    sum += (weights[tap] as number) * (input[start + tap] as number);
  }
  return sum;
}

/**
 * The weights for output samples that lie a part of a sample behind an input sample.
 * @param offset from 0 up to 1
 * @param scale the zero crossings of the filter for each input sample, at most 1
 */
function phaseFilter(offset: number, scale: number): PhaseFilter {
  const reach = ZERO_CROSSINGS / scale;
  const first = Math.ceil(offset - reach);
  const weights = new Float64Array(Math.floor(offset + reach) - first + 1);
  let sum = 0;
  for (let tap = 0; tap < weights.length; tap++) {
    const weight = filterAt(Math.abs(first + tap - offset) * scale);
    weights[tap] = weight;
    sum += weight;
  }
  // A constant stays what it is, in every phase.
  return { weights: weights.map((weight) => weight / sum), first };
}

/** The filter at a distance from its middle, in zero crossings; linear between the table's points. */
function filterAt(distance: number): number {
  filterTable ??= makeFilterTable();
  const at = distance * TABLE_STEPS;
  const below = Math.floor(at);
  const low = filterTable[below] ?? 0;
  const high = filterTable[below + 1] ?? 0;
  return low + (high - low) * (at - below);
}

function makeFilterTable(): Float64Array {
  const table = new Float64Array(ZERO_CROSSINGS * TABLE_STEPS + 1);
  const whole = besselI0(KAISER_BETA);
  for (let i = 0; i < table.length; i++) {
    const distance = i / TABLE_STEPS;
    const angle = Math.PI * CUTOFF * distance;
    const sinc = distance === 0 ? 1 : Math.sin(angle) / angle;
    const share = distance / ZERO_CROSSINGS;
    table[i] = (sinc * besselI0(KAISER_BETA * Math.sqrt(1 - share * share))) / whole;
  }
  return table;
}

/** The modified Bessel function of the first kind, order 0, by its power series. */
function besselI0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/**
 * The fraction nearest to `numerator / denominator` with a denominator of at most `most`, in lowest
 * terms: by continued fractions, whose last step is taken in part.
 */
function nearestRatio(numerator: number, denominator: number, most: number): [number, number] {
  let [before, last] = [
    [0, 1],
    [1, 0],
  ] as [[number, number], [number, number]];
  let [dividend, divisor] = [numerator, denominator];
  while (divisor !== 0) {
    const quotient = Math.floor(dividend / divisor);
    const next: [number, number] = [before[0] + quotient * last[0], before[1] + quotient * last[1]];
    if (next[1] > most) {
      const part = Math.floor((most - before[1]) / last[1]);
      const partly: [number, number] = [before[0] + part * last[0], before[1] + part * last[1]];
      const exact = numerator / denominator;
      const error = ([n, d]: [number, number]) => Math.abs(n / d - exact);
      return error(partly) < error(last) ? partly : last;
    }
    [before, last] = [last, next];
    [dividend, divisor] = [divisor, dividend % divisor];
  }
  return last;
}
