import type { CellResult } from './compare.ts';
import { type Curve, drawPlot, type Panel } from './line-plot.ts';
import type { Measures } from './measures.ts';
import { type ModelProfile, PROFILES } from './model-profile.ts';

const UTILISATION_TICKS = [0.5, 0.8, 0.95, 1.2];

/** The plots of docs/batching.md, by file name. */
export function batchingPlots(results: readonly CellResult[]): ReadonlyMap<string, string> {
  const common = {
    xLabel: 'load, as a share of capacity',
    xTicks: UTILISATION_TICKS,
    formatX: (x: number) => `${Math.round(x * 100)} %`,
  };
  const dated = results.filter(({ cell }) => cell.deadlines !== 'none');
  const undated = results.filter(({ cell }) => cell.deadlines === 'none');
  return new Map([
    [
      'batching-deadlines-kept.svg',
      drawPlot({
        ...common,
        title: 'Deadlines kept (mean over loads, deadlines and instances)',
        panels: panelsOf(dated, ({ kept }) => kept),
        yTicks: [0, 0.25, 0.5, 0.75, 1],
        formatY: (y) => `${Math.round(y * 100)} %`,
      }),
    ],
    [
      'batching-p99.svg',
      drawPlot({
        ...common,
        title: 'p99 latency without deadlines (geometric mean over loads and instances)',
        panels: panelsOf(undated, ({ p99Ms }) => p99Ms, 'geometric'),
        yTicks: [3, 10, 30, 100, 300, 1000],
        yScale: 'log',
        formatY: (y) => `${y} ms`,
      }),
    ],
  ]);
}

function panelsOf(
  results: readonly CellResult[],
  figureOf: (measures: Measures) => number,
  kind: 'arithmetic' | 'geometric' = 'arithmetic',
): Panel[] {
  return PROFILES.map((profile) => ({
    title: `Batching ${profile.name === 'flat' ? 'makes no difference' : profile.name}`,
    curves: curvesOf(results, profile, (measures) => meanOf(measures.map(figureOf), kind)),
  }));
}

function curvesOf(
  results: readonly CellResult[],
  profile: ModelProfile,
  mean: (measures: readonly Measures[]) => number,
): Curve[] {
  const names = ['quern', ...(results[0]?.others ?? []).map(({ policy }) => policy)];
  return names.map((name) => ({
    name: name === 'quern' ? 'Quern' : name,
    points: UTILISATION_TICKS.map((x) => {
      const cells = results.filter(
        ({ cell }) => cell.profile === profile && cell.utilisation === x,
      );
      return { x, y: mean(cells.map((cell) => measuresOf(cell, name))) };
    }),
  }));
}

function measuresOf({ ours, others }: CellResult, name: string): Measures {
  return others.find(({ policy }) => policy === name)?.measures ?? ours;
}

function meanOf(values: readonly number[], kind: 'arithmetic' | 'geometric'): number {
  const count = Math.max(1, values.length);
  if (kind === 'arithmetic') return values.reduce((sum, value) => sum + value, 0) / count;
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / count);
}
