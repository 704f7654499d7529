import type { Summary } from './summary.ts';

/** One line of the table: a figure, the limit measured beside it, and the ratio that counts. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly ours: Summary;
  readonly limit?: { readonly what: string; readonly value: Summary };
  /** Of runs side by side. */
  readonly ratio?: Summary;
  /** What the design asks for, as it says it. */
  readonly goal?: string;
}

/** The figures as a Markdown table. */
export function formatTable(figures: readonly Figure[]): string {
  const rows = figures.map(({ what, unit, ours, limit, ratio, goal }) => [
    what,
    `${formatSummary(ours)} ${unit}`,
    limit === undefined ? '' : `${limit.what}: ${formatSummary(limit.value)}`,
    ratio === undefined ? '' : formatSummary(ratio),
    goal ?? '',
  ]);
  const header = ['what', 'measured', 'beside it', 'ratio', 'goal'];
  return [header, header.map(() => '---'), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function formatSummary({ median, min, max }: Summary): string {
  return `${formatNumber(median)} (${formatNumber(min)}-${formatNumber(max)})`;
}

function formatNumber(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(3);
}
