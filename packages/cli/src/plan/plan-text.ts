import { percentText } from '../output/readable-numbers.ts';
import { tableText } from '../output/table.ts';
import type { CapacityPlan, PlannedLoad } from './capacity-plan.ts';

const HEADING = ['PART', 'COUNT', 'EACH/S', 'BUSY'];

/** The plan for people: a table of the parts, and what follows from it. */
export function planText(plan: CapacityPlan, load: PlannedLoad, device: string): string {
  const rows = plan.parts.map(({ name, count, predictionsPerSecondEach, busy }) => [
    name,
    String(count),
    String(Math.floor(predictionsPerSecondEach)),
    percentText(busy),
  ]);
  const lines = [
    tableText(HEADING, rows),
    '',
    `For ${load.predictionsPerSecond} predictions/s, ${percentText(load.headroom)} of each part left free; instances on ${device}.`,
    `API, workers and Redis keep ${plan.busyCores.toFixed(1)} cores busy; instances on CPUs come on top.`,
    `Redis needs ${memoryText(plan.backlogBytes)} for ${load.backlogSeconds} s of predictions that pile up, beside results that are kept.`,
  ];
  if (plan.queues > 1) {
    lines.push(
      `One model's queue lies on one shard: spread the load over ${plan.queues} copies of the model under names of their own.`,
    );
  }
  return lines.join('\n');
}

function memoryText(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib >= 1024 ? `${(mib / 1024).toFixed(1)} GiB` : `${Math.ceil(mib)} MiB`;
}
