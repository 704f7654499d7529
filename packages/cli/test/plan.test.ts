import { writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../src/exit-codes.ts';
import { planCapacity } from '../src/plan/capacity-plan.ts';
import { runInProcess } from './run-in-process.ts';
import { StandInApi, wireModel } from './stand-in-api.ts';
import { TemporaryFolder } from './temporary-folder.ts';

const COSTS = { apiUs: 1000, redisUs: 400, workerUs: 500 };
const LOAD = {
  predictionsPerSecond: 5000,
  rowsPerPrediction: 2,
  instanceRowsPerSecond: 4000,
  inputBytes: 300,
  backlogSeconds: 10,
  headroom: 0.5,
};

describe('a capacity plan', () => {
  it('counts what the costs of a prediction ask for', () => {
    const plan = planCapacity(LOAD, COSTS);
    expect(plan.parts.map(({ name, count, busy }) => [name, count, busy])).toEqual([
      ['API replicas', 10, 0.5],
      ['workers', 5, 0.5],
      ['instances', 5, 0.5],
      ['Redis shards', 4, 0.5],
    ]);
    expect(plan).toMatchObject({ busyCores: 9.5, backlogBytes: 50_000 * 2050, queues: 4 });
  });

  it('has room for the load and its headroom, never less for more load', () => {
    const above = fc.double({ min: 0.1, max: 1e6, noNaN: true });
    const load = fc.record({
      predictionsPerSecond: above,
      rowsPerPrediction: fc.integer({ min: 1, max: 1000 }),
      instanceRowsPerSecond: above,
      inputBytes: fc.nat(),
      backlogSeconds: fc.nat(86_400),
      headroom: fc.double({ min: 0, max: 0.9, noNaN: true }),
    });
    const costs = fc.record({ apiUs: above, redisUs: above, workerUs: above });
    fc.assert(
      fc.property(load, costs, fc.double({ min: 1, max: 10, noNaN: true }), (given, cost, more) => {
        const plan = planCapacity(given, cost);
        const larger = { ...given, predictionsPerSecond: given.predictionsPerSecond * more };
        const { parts } = planCapacity(larger, cost);
        for (const [i, part] of plan.parts.entries()) {
          expect(part.busy).toBeLessThanOrEqual((1 - given.headroom) * (1 + 1e-9));
          expect(parts[i]?.count).toBeGreaterThanOrEqual(part.count);
        }
      }),
    );
  });

  it('refuses numbers that no load has', () => {
    expect(() => planCapacity({ ...LOAD, headroom: 1 }, COSTS)).toThrow(/headroom is 1/);
    expect(() => planCapacity({ ...LOAD, rowsPerPrediction: 0 }, COSTS)).toThrow(
      /rowsPerPrediction/,
    );
    expect(() => planCapacity(LOAD, { ...COSTS, apiUs: Number.NaN })).toThrow(/apiUs is NaN/);
  });
});

function profiled(lanes: unknown[]): Record<string, unknown> {
  const [version] = wireModel()['versions'] as Record<string, unknown>[];
  const sizes = [{ rows: 1, time_ms: 2, rows_per_second: 500, runs: 3 }];
  const profile = {
    execution_provider: 'cpu',
    device: 'amd-epyc.2t',
    max_batch_size: 32,
    saved_at: '2026-11-23T12:00:00.000Z',
    warm_up: { knee: 1, sizes },
    lanes,
  };
  return wireModel({ versions: [{ ...version, profiles: [profile] }] });
}

describe('quern plan', () => {
  it('plans by the run times of a model that is served, in its shape that is run most', async () => {
    const lane = (name: string, rate: number, runs: number) => ({
      lane: name,
      knee: 8,
      sizes: [{ rows: 8, time_ms: 4, rows_per_second: rate, runs }],
    });
    const body = profiled([lane('3', 9000, 2), lane('4', 2000, 50)]);
    await using api = await StandInApi.start(() => ({ status: 200, body }));
    const args = ['plan', '--rate', '50000', '--model', 'digits', '--url', api.url];
    const run = await runInProcess(args);
    expect(api.calls).toEqual(['GET /v1/models/digits?profile=true']);
    expect(run.stdout).toMatch(/^API replicas +82 +879 +69\.\d %$/m);
    expect(run.stdout).toMatch(/^instances +53 +2000 /m);
    expect(run.stdout).toContain('instances on amd-epyc.2t');
    expect(run.stdout).toMatch(/spread the load over \d+ copies of the model/);
  });

  it('plans by costs that the bench has measured, and by a rate that is given', async () => {
    await using folder = await TemporaryFolder.make();
    const figure = (what: string, median: number) => ({ what, unit: 'us', ours: { median } });
    const figures = [
      figure('API: HTTP server', 600),
      figure('API: encode', 400),
      figure('Redis: scripts', 400),
      figure('worker: form batches', 500),
      figure('all of a synchronous prediction', 1900),
    ];
    const file = folder.join('bench.json');
    await writeFile(file, JSON.stringify({ figures }));
    const args = ['plan', '--rate', '100', '--instance-rate', '80', '--costs', file, '--json'];
    const plan = JSON.parse((await runInProcess(args)).stdout);
    expect(plan.costs).toEqual(COSTS);
    expect(plan.parts).toContainEqual(expect.objectContaining({ name: 'instances', count: 2 }));
    expect(plan.queues).toBe(1);

    await writeFile(file, JSON.stringify({ figures: [] }));
    const { error } = await runInProcess(args);
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain('--suite budget');
  });

  it('says what is missing', async () => {
    expect(String((await runInProcess(['plan', '--rate', '5'])).error)).toContain(
      '--instance-rate',
    );
    expect((await runInProcess(['plan', '--instance-rate', '5'])).stderr).toContain('--rate');
    expect((await runInProcess(['plan', '--rate', 'many'])).stderr).toContain('a number above 0');
    await using api = await StandInApi.start(() => ({ status: 200, body: wireModel() }));
    const unknown = await runInProcess(['plan', '--rate', '5', '--model', 'm', '--url', api.url]);
    expect(String(unknown.error)).toContain('Nothing is known of the run times');
  });
});
