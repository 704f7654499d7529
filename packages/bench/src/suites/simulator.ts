import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { batchingPlots } from '../simulator/batching-plots.ts';
import { batchingTables } from '../simulator/batching-tables.ts';
import { type CellResult, compareAll, describeCell } from '../simulator/compare.ts';
import { PROFILES } from '../simulator/model-profile.ts';
import { priorityFlood } from '../simulator/priority-flood.ts';
import { summarise } from '../summary.ts';
import type { Suite } from './suite.ts';

const SEED = 7;
const DOCUMENT = join('docs', 'batching.md');
const IMAGES = join('docs', 'images');
const CELLS = join('.quern', 'simulator.json');
const [BEGIN, END] = ['<!-- simulator: begin -->', '<!-- simulator: end -->'];

/**
 * The batcher under a virtual clock beside other policies; see docs/batching.md, whose tables and plots
 * it writes (not with --quick, which plays a part of the cells). The same seed gives the same figures.
 */
export const simulatorSuite: Suite = async ({ quick, log }) => {
  const results = await compareAll({ quick, seed: SEED, log });
  const missed = results.filter(({ goalReached }) => !goalReached);
  for (const result of missed) log(`  goal not reached: ${describeCell(result)}`);
  const [pays] = PROFILES;
  const flood = pays === undefined ? [] : await priorityFlood(pays, SEED);
  const tables = batchingTables(results, flood);
  if (quick) log(`\n${tables}`);
  else await writeDocument(tables, results);
  const atLeastBest = results.map(({ keptGain }) => keptGain * 100);
  return [
    {
      what: `simulator: cells of ${results.length} where the goal is reached`,
      unit: 'cells',
      ours: summarise([results.length - missed.length]),
      goal: String(results.length),
    },
    {
      what: 'simulator: deadlines kept beyond the best other policy',
      unit: 'points',
      ours: summarise(atLeastBest),
      goal: '0',
    },
    {
      what: 'simulator: throughput / best other policy',
      unit: '',
      ours: summarise(results.map(({ throughputRatio }) => throughputRatio)),
      goal: '0.97',
    },
  ];
};

async function writeDocument(tables: string, results: readonly CellResult[]): Promise<void> {
  const text = await readFile(DOCUMENT, 'utf8');
  const [before, rest] = text.split(BEGIN);
  const [, after] = rest?.split(END) ?? [];
  if (before === undefined || after === undefined) {
    throw new Error(`${DOCUMENT} has no ${BEGIN} ... ${END}, where the simulator's tables belong`);
  }
  await writeFile(DOCUMENT, `${before}${BEGIN}\n\n${tables}\n\n${END}${after}`);
  for (const [name, svg] of batchingPlots(results)) await writeFile(join(IMAGES, name), svg);
  await mkdir(dirname(CELLS), { recursive: true });
  const cells = results.map(({ cell: { profile, ...cell }, ours, others }) => ({
    profile: profile.name,
    ...cell,
    quern: ours,
    others,
  }));
  await writeFile(CELLS, `${JSON.stringify(cells)}\n`);
}
