import { describe, expect, it } from 'vitest';
import { UsageError } from '../src/exit-codes.ts';
import { runInProcess } from './run-in-process.ts';
import { StandInApi, wireModel } from './stand-in-api.ts';

function modelWith(profiles: unknown): Record<string, unknown> {
  const [version] = wireModel()['versions'] as Record<string, unknown>[];
  return wireModel({ versions: [{ ...version, profiles }] });
}

const sizes = [
  { rows: 1, time_ms: 2, rows_per_second: 500, runs: 3 },
  { rows: 8.2, time_ms: 4.1, rows_per_second: 2000, runs: 40 },
  { rows: 32, time_ms: 32, rows_per_second: 1000, runs: 2 },
];
const profile = {
  execution_provider: 'cpu',
  device: 'amd-epyc.2t',
  max_batch_size: 32,
  saved_at: '2026-11-23T12:00:00.000Z',
  warm_up: { knee: 1, sizes: sizes.slice(0, 1) },
  lanes: [{ lane: '1x8x8', knee: 8, sizes }],
};

describe('quern models MODEL --profile', () => {
  it('draws rows per second by batch size, with the best one marked', async () => {
    const body = modelWith([profile]);
    await using api = await StandInApi.start(() => ({ status: 200, body }));
    const run = await runInProcess(['models', 'digits', '--profile', '--url', api.url]);
    expect(api.calls).toEqual(['GET /v1/models/digits?profile=true']);
    expect(run.stdout.split('\n')).toEqual([
      'digits:1 on amd-epyc.2t (cpu), saved 2026-11-23T12:00:00.000Z',
      '',
      '  rows of shape 1x8x8, learnt',
      '  ROWS  TIME MS  ROWS/S  RUNS',
      `     1     2.00     500     3  ${'#'.repeat(8)}`,
      `   8.2     4.10    2000    40  ${'#'.repeat(30)}  <- best size`,
      `    32     32.0    1000     2  ${'#'.repeat(15)}`,
      '',
    ]);
  });

  it('shows the warm-up where nothing is learnt yet, and says if nothing is known', async () => {
    const bodies = [modelWith([{ ...profile, lanes: [] }]), modelWith([])];
    await using api = await StandInApi.start(() => ({ status: 200, body: bodies.shift() }));
    const measured = await runInProcess(['models', 'digits', '--profile', '--url', api.url]);
    expect(measured.stdout).toMatch(/measured at warm-up\n.*\n.* 1 +2.00 +500 .*<- best size/);
    const nothing = await runInProcess(['models', 'digits', '--profile', '--url', api.url]);
    expect(nothing.stdout).toContain('Nothing is known of the run times of digits yet');
  });

  it('needs a model', async () => {
    const run = await runInProcess(['models', '--profile']);
    expect(run.error).toBeInstanceOf(UsageError);
    expect(String(run.error)).toContain('name of a model');
  });
});

it('quern models MODEL --reset-profile forgets them', async () => {
  const body = { model: 'digits', versions: ['2', '1'], forgotten: 1 };
  await using api = await StandInApi.start(() => ({ status: 200, body }));
  const run = await runInProcess(['models', 'digits', '--reset-profile', '--url', api.url]);
  expect(api.calls).toEqual(['DELETE /v1/models/digits/profile']);
  expect(run.stdout).toContain('Forgot 1 profile of digits (versions 2, 1)');
});
