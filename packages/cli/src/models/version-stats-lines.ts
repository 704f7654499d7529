import { durationText, percentText } from '../output/readable-numbers.ts';
import type { VersionStatsView } from './profile-view.ts';

/** What a version has done, one fact a line; nothing before its first batch. */
export function versionStatsLines(stats: VersionStatsView | undefined): [string, string][] {
  if (stats === undefined || stats.batches === 0) return [];
  const { mean_ms: mean } = stats;
  const troubles = (['failed', 'expired', 'reruns', 'quarantined', 'recycled'] as const)
    .filter((name) => stats[name] > 0)
    .map((name) => `${stats[name]} ${name}`);
  const padding = stats.padding_ratio === 0 ? '' : `, padding ${percentText(stats.padding_ratio)}`;
  return [
    ['batches', `${stats.batches}, ${percentText(stats.fill_ratio)} full${padding}`],
    ['sizes', sharesText(stats.batch_rows.map((size) => [boundText(size.up_to), size.batches]))],
    ['reasons', sharesText(Object.entries(stats.reasons).toSorted((a, b) => b[1] - a[1]))],
    [
      'times',
      (['queue', 'collate', 'inference', 'split', 'store'] as const)
        .map((phase) => `${phase} ${durationText(mean[phase])}`)
        .join(', '),
    ],
    ...(troubles.length === 0 ? [] : [['troubles', troubles.join(', ')] as [string, string]]),
  ];
}

function boundText(rows: number | null): string {
  return rows === null ? 'more' : `${rows <= 2 ? '' : '<='}${rows}`;
}

/** `<=8 62 %, <=16 38 %` */
function sharesText(counts: readonly (readonly [string, number])[]): string {
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  return counts.map(([name, count]) => `${name} ${Math.round((count / total) * 100)} %`).join(', ');
}
