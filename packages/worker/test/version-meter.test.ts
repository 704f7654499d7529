import { StatisticsTally } from '@quern/queue';
import { createMetricsRegistry } from '@quern/service';
import { expect, test } from 'vitest';
import { VersionMeter } from '../src/version-meter.ts';
import { createWorkerMetrics } from '../src/worker-metrics.ts';

const RUN = {
  rows: 6,
  predictions: 3,
  meanQueueMs: 4,
  collateMs: 1,
  inferenceMs: 20,
  splitMs: 0.5,
  storeMs: 0.25,
  paddingRatio: 0,
};

test('counts once for the registry and once for /metrics', async () => {
  const registry = createMetricsRegistry('worker');
  const metrics = createWorkerMetrics(registry);
  const tally = new StatisticsTally(() => {});
  const meter = new VersionMeter({ metrics, model: 'digits', version: 2, tally });
  meter.formed('full', 1);
  meter.formed('idle', 0.5);
  meter.ran({ ...RUN, rows: 8, paddingRatio: 0.5 });
  meter.ran(RUN);
  for (const outcome of [
    'succeeded',
    'succeeded',
    'returned',
    'CANCELED',
    'DEADLINE_EXCEEDED',
    'INPUT_QUARANTINED',
    'INFERENCE_FAILED',
  ]) {
    meter.ended(outcome, 100);
  }
  meter.reran(3);
  meter.recycled('memory');

  expect(meter.snapshot()).toEqual({
    batches: 2,
    rows: 14,
    succeeded: 2,
    failed: 1,
    expired: 1,
    reruns: 3,
    quarantined: 1,
    recycled: 1,
    batchRows: [0, 0, 0, 2],
    fillRatio: 0.75,
    paddingRatio: 0.25,
    phasesMs: { queue: 4, collate: 1, inference: 20, split: 0.5, store: 0.25 },
    reasons: { full: 1, idle: 1 },
  });
  const text = await registry.metrics();
  const labels = 'process="worker",model="digits",version="2"';
  for (const line of [
    `quern_worker_batch_rows_bucket{le="8",${labels}} 2`,
    `quern_worker_batch_rows_sum{${labels}} 14`,
    `quern_worker_batch_padding_ratio_sum{${labels}} 0.5`,
    `quern_worker_phase_seconds_sum{${labels},phase="inference"} 0.04`,
    `quern_worker_reruns_total{${labels}} 3`,
    `quern_worker_recycled_instances_total{${labels},reason="memory"} 1`,
  ]) {
    expect(text.replaceAll(/\{(.*)\}/g, (_, all) => `{${sorted(all)}}`)).toContain(
      line.replaceAll(/\{(.*)\}/g, (_, all) => `{${sorted(all)}}`),
    );
  }
});

function sorted(labels: string): string {
  return labels.split(',').sort().join(',');
}
