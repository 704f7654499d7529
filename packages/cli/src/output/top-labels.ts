import { percentText } from './readable-numbers.ts';

/** One class of a row, with its score. */
export interface RankedLabel {
  readonly label: string;
  readonly score: number;
  /** Whether the row's scores are probabilities; else they are shown as they are. */
  readonly isProbability: boolean;
}

/** A classifier's answer for one row, best first. */
export type RankedRow = readonly RankedLabel[];

const SUM_TOLERANCE = 0.01;

/**
 * The best classes of each row, for an output that has one score for each label.
 * @param output the prediction's output: tensors as nested arrays or `{"shape", "data"}`
 * @param count how many classes of a row
 * @returns empty if no output fits the labels
 */
export function rankLabels(
  output: Readonly<Record<string, unknown>>,
  labels: readonly string[],
  count: number,
): RankedRow[] {
  if (labels.length < 2) return [];
  for (const value of Object.values(output)) {
    const rows = scoreRows(value, labels.length);
    if (rows !== undefined) return rows.map((scores) => rankRow(scores, labels, count));
  }
  return [];
}

/** One row in words: `7 (99.9 %)`. */
export function labelText({ label, score, isProbability }: RankedLabel): string {
  return `${label} (${isProbability ? percentText(score) : score.toPrecision(4)})`;
}

function rankRow(scores: readonly number[], labels: readonly string[], count: number): RankedRow {
  const sum = scores.reduce((total, score) => total + score, 0);
  const isProbability =
    Math.abs(sum - 1) < SUM_TOLERANCE && scores.every((score) => score >= 0 && score <= 1);
  return scores
    .map((score, index) => ({ label: labels[index] ?? String(index), score, isProbability }))
    .sort((a, b) => b.score - a.score)
    .slice(0, count);
}

/** Rows of exactly that many numbers; undefined if the value is anything else. */
function scoreRows(value: unknown, width: number): number[][] | undefined {
  if (Array.isArray(value)) {
    const rows = value.every(Array.isArray) ? value : [value];
    return rows.length > 0 && rows.every((row) => isScores(row, width)) ? rows : undefined;
  }
  if (typeof value !== 'object' || value === null || !('shape' in value)) return undefined;
  const { shape } = value;
  const data: unknown = 'data' in value ? value.data : undefined;
  if (!Array.isArray(shape) || shape.at(-1) !== width || shape.length > 2) return undefined;
  if (!Array.isArray(data) || data.length === 0 || !data.every(isFiniteNumber)) return undefined;
  const count = data.length / width;
  return Array.from({ length: count }, (_row, index) =>
    data.slice(index * width, (index + 1) * width),
  );
}

function isScores(row: unknown, width: number): row is number[] {
  return Array.isArray(row) && row.length === width && row.every(isFiniteNumber);
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
