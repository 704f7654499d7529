import { cellName, DEADLINES } from './cell.ts';
import type { CellResult } from './compare.ts';
import { PROFILES } from './model-profile.ts';
import type { FloodResult } from './priority-flood.ts';

/** The part of docs/batching.md that the simulator writes. */
export function batchingTables(
  results: readonly CellResult[],
  flood: readonly FloodResult[],
): string {
  const reached = results.filter(({ goalReached }) => goalReached).length;
  const missed = results
    .filter(({ goalReached }) => !goalReached)
    .sort((a, b) => shortfall(b) - shortfall(a));
  return [
    `Of ${results.length} cells the goal is reached in ${reached}.`,
    '',
    summaryTable(results),
    '',
    'The cells where it is not reached, the largest shortfall first:',
    '',
    missedTable(missed),
    '',
    'A flood of high requests (5 % more than can be done, for 30 s) and four low ones a second:',
    '',
    table(
      ['policy', 'high, p99', 'low, p99', 'low, longest'],
      flood.map(({ policy, highP99Ms, lowP99Ms, lowLongestMs }) => [
        nameOf(policy),
        seconds(highP99Ms),
        seconds(lowP99Ms),
        seconds(lowLongestMs),
      ]),
    ),
  ].join('\n');
}

function summaryTable(results: readonly CellResult[]): string {
  const rows: string[][] = [];
  for (const profile of PROFILES) {
    for (const deadlines of DEADLINES) {
      const cells = results.filter(
        ({ cell }) => cell.profile === profile && cell.deadlines === deadlines,
      );
      if (cells.length > 0) rows.push([profile.name, deadlines, ...summaryOf(cells)]);
    }
  }
  return table(
    [
      'batching',
      'deadlines',
      'kept: Quern',
      'best other on average',
      'worst cell',
      'throughput / best other',
      'worst cell',
      'p99 / best other',
    ],
    rows,
  );
}

function summaryOf(cells: readonly CellResult[]): string[] {
  const hasDeadlines = cells[0]?.cell.deadlines !== 'none';
  const kept = mean(cells.map(({ ours }) => ours.kept));
  const best = bestOnAverage(cells);
  const p99Ratios = cells.map(
    ({ ours, others }) => ours.p99Ms / Math.min(...others.map(({ measures }) => measures.p99Ms)),
  );
  return [
    hasDeadlines ? percent(kept) : '',
    hasDeadlines ? `${percent(best.kept)} (${best.policy})` : '',
    hasDeadlines ? points(Math.min(...cells.map(({ keptGain }) => keptGain))) : '',
    mean(cells.map(({ throughputRatio }) => throughputRatio)).toFixed(2),
    Math.min(...cells.map(({ throughputRatio }) => throughputRatio)).toFixed(2),
    Math.exp(mean(p99Ratios.map(Math.log))).toFixed(2),
  ];
}

function bestOnAverage(cells: readonly CellResult[]): { policy: string; kept: number } {
  let best = { policy: '', kept: -1 };
  for (const { policy } of cells[0]?.others ?? []) {
    const kept = mean(
      cells.map(({ others }) => others.find((o) => o.policy === policy)?.measures.kept ?? 0),
    );
    if (kept > best.kept) best = { policy, kept };
  }
  return best;
}

function missedTable(missed: readonly CellResult[]): string {
  if (missed.length === 0) return 'None.';
  return table(
    [
      'batching, load, deadlines, utilisation, instances',
      'kept: Quern',
      'best other',
      'results/s: Quern',
      'best other',
    ],
    missed.map(({ cell, ours, others }) => [
      cellName(cell),
      percent(ours.kept),
      bestOf(others, ({ kept }) => kept, percent),
      ours.usefulPerSecond.toFixed(0),
      bestOf(
        others,
        ({ usefulPerSecond }) => usefulPerSecond,
        (value) => value.toFixed(0),
      ),
    ]),
  );
}

function bestOf(
  others: CellResult['others'],
  figureOf: (measures: CellResult['ours']) => number,
  format: (value: number) => string,
): string {
  const [best] = [...others].sort((a, b) => figureOf(b.measures) - figureOf(a.measures));
  return best === undefined ? '' : `${format(figureOf(best.measures))} (${best.policy})`;
}

function shortfall({ keptGain, throughputRatio }: CellResult): number {
  return Math.max(-keptGain, 1 - throughputRatio);
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function nameOf(policy: string): string {
  return policy === 'quern' ? 'Quern' : policy;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function points(difference: number): string {
  return `${difference >= 0 ? '+' : ''}${(difference * 100).toFixed(1)} points`;
}

function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(2)} s` : 'never ran';
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
