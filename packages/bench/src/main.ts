import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine, loadAverage } from './machine.ts';
import { installPeers } from './peers/install-peers.ts';
import { type Figure, formatTable } from './report.ts';
import { batchingSuite } from './suites/batching.ts';
import { budgetSuite } from './suites/budget.ts';
import { drainSuite } from './suites/drain.ts';
import { eventLoopSuite } from './suites/event-loop.ts';
import { openLoopSuite } from './suites/open-loop.ts';
import { payloadsSuite } from './suites/payloads.ts';
import { peersSuite } from './suites/peers.ts';
import { simulatorSuite } from './suites/simulator.ts';
import type { Suite } from './suites/suite.ts';
import { syncSuite } from './suites/sync.ts';

const SUITES: Readonly<Record<string, Suite>> = {
  sync: syncSuite,
  drain: drainSuite,
  batching: batchingSuite,
  'event-loop': eventLoopSuite,
  'open-loop': openLoopSuite,
  payloads: payloadsSuite,
  budget: budgetSuite,
  peers: peersSuite,
  simulator: simulatorSuite,
};
const RESULTS = join('.quern', 'bench.json');

const { values } = parseArgs({
  options: {
    suite: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    'install-peers': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** Only when asked for: one says nothing about this machine, the other needs Python and gigabytes. */
const ON_DEMAND = ['simulator', 'peers'];

const chosen = values.suite ?? Object.keys(SUITES).filter((name) => !ON_DEMAND.includes(name));
const unknown = chosen.filter((name) => SUITES[name] === undefined);

if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`No suite ${unknown.join(', ')}.`);
  console.log(
    `npm run bench -- [--quick] [--suite NAME]... [--install-peers]   suites: ${Object.keys(SUITES).join(', ')}`,
  );
  process.exit(unknown.length > 0 ? 2 : 0);
}

if (values['install-peers']) {
  await installPeers((line) => console.log(line));
  process.exit(0);
}

const machine = describeMachine();
const loadBefore = loadAverage();
console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; load ${loadBefore}`);
const figures: Figure[] = [];
for (const name of chosen) {
  console.log(`\n${name}`);
  const quick = values.quick;
  figures.push(...((await SUITES[name]?.({ quick, log: (line) => console.log(line) })) ?? []));
}
const loadAfter = loadAverage();
await mkdir('.quern', { recursive: true });
const record = { date: new Date().toISOString(), machine, loadBefore, loadAfter, figures };
await writeFile(RESULTS, `${JSON.stringify(record, null, 2)}\n`);
console.log(`\nMedian (lowest-highest) of the runs; ratios are of runs side by side.\n`);
console.log(formatTable(figures));
console.log(`\nLoad before ${loadBefore}, after ${loadAfter}. All figures: ${RESULTS}`);
