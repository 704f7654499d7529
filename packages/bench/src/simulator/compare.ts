import { allCells, type Cell, cellName } from './cell.ts';
import type { Measures } from './measures.ts';
import { POLICIES } from './policies/all-policies.ts';
import { simulate } from './simulate.ts';

/** Deadlines kept may be fewer than the best other policy's by this much and count as equal. */
const KEPT_TOLERANCE = 0.005;

/** What is asked for: throughput within 3 % of the best other policy's. */
const THROUGHPUT_GOAL = 0.97;

export interface PolicyMeasures {
  readonly policy: string;
  readonly measures: Measures;
}

export interface CellResult {
  readonly cell: Cell;
  readonly ours: Measures;
  readonly others: readonly PolicyMeasures[];
  /** Deadlines kept, less those of the best other policy. */
  readonly keptGain: number;
  /** Throughput, by that of the best other policy. */
  readonly throughputRatio: number;
  readonly goalReached: boolean;
}

export interface CompareOptions {
  readonly quick: boolean;
  readonly seed: number;
  readonly log: (line: string) => void;
}

/** Plays every cell to every policy. */
export async function compareAll({ quick, seed, log }: CompareOptions): Promise<CellResult[]> {
  const results: CellResult[] = [];
  const cells = allCells(quick);
  for (const [index, cell] of cells.entries()) {
    results.push(await compare(cell, seed));
    if ((index + 1) % 48 === 0) log(`  ${index + 1} of ${cells.length} cells`);
  }
  return results;
}

export async function compare(cell: Cell, seed: number): Promise<CellResult> {
  const [first, ...rest] = POLICIES;
  const ours = await simulate(first, cell, seed);
  const others: PolicyMeasures[] = [];
  for (const policy of rest) {
    others.push({ policy: policy.name, measures: await simulate(policy, cell, seed) });
  }
  const bestKept = Math.max(...others.map(({ measures }) => measures.kept));
  const mostUseful = Math.max(...others.map(({ measures }) => measures.usefulPerSecond));
  const keptGain = ours.kept - bestKept;
  const throughputRatio = ours.usefulPerSecond / mostUseful;
  return {
    cell,
    ours,
    others,
    keptGain,
    throughputRatio,
    goalReached: keptGain >= -KEPT_TOLERANCE && throughputRatio >= THROUGHPUT_GOAL,
  };
}

/** A line for a cell: deadlines kept, useful results per second, and p99 of each policy. */
export function describeCell({ cell, ours, others }: CellResult): string {
  const all = [{ policy: 'quern', measures: ours }, ...others];
  const figures = all.map(({ policy, measures: { kept, usefulPerSecond, p99Ms } }) => {
    return `${policy} ${(kept * 100).toFixed(1)} % ${usefulPerSecond.toFixed(0)}/s ${p99Ms.toFixed(0)} ms`;
  });
  return `${cellName(cell)}: ${figures.join(', ')}`;
}
