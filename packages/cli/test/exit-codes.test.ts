import { eventually, freePort } from '@quern/testkit';
import { describe, expect, it } from 'vitest';
import { runCli } from './run-cli.ts';
import { StandInApi, scripted, wirePrediction } from './stand-in-api.ts';

const INPUT = '{"x": [1]}';
const TIMEOUT_MS = 30_000;

describe('quern as a process', { timeout: TIMEOUT_MS }, () => {
  it('exits with 0 and writes nothing but JSON on standard output', async () => {
    const done = wirePrediction({ status: 'succeeded', output: { y: [[1, 2]] } });
    await using api = await StandInApi.start(scripted({ create: { status: 200, body: done } }));
    const run = await runCli(['predict', 'digits', INPUT], { QUERN_URL: api.url }).finished;
    expect(run).toMatchObject({ code: 0, stdout: '{\n  "y": [[1, 2]]\n}\n' });
  });

  it('exits with 1 when it is refused', async () => {
    const error = { code: 'MODEL_NOT_FOUND', message: 'Unknown model "digit"; known are digits.' };
    await using api = await StandInApi.start(() => ({ status: 404, body: { error } }));
    const run = await runCli(['predict', 'digit', INPUT], { QUERN_URL: api.url }).finished;
    expect(run).toEqual({
      code: 1,
      stdout: '',
      stderr: 'MODEL_NOT_FOUND: Unknown model "digit"; known are digits.\n',
    });
  });

  it('exits with 2 for a wrong command line', async () => {
    const run = await runCli(['predict', 'digits', INPUT, '--priority', 'urgent']).finished;
    expect(run.code).toBe(2);
    expect(run.stderr).toContain('high, normal, low');
  });

  it('exits with 3 when nobody answers', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const run = await runCli(['models', '--url', url]).finished;
    expect(run.code).toBe(3);
    expect(run.stderr).toContain(`Cannot reach the API at ${url}`);
    expect(run.stderr).toContain('Is `quern up` running?');
  });

  it('cancels the prediction on SIGINT and exits with 130', async () => {
    const canceled = wirePrediction({ status: 'canceled' });
    await using api = await StandInApi.start(
      scripted({
        create: { status: 202, body: wirePrediction() },
        cancel: { status: 200, body: canceled },
      }),
    );
    const { child, finished } = runCli(['predict', 'digits', INPUT], { QUERN_URL: api.url });
    await eventually(
      () => api.calls.some((call) => call.startsWith('GET /v1/predictions/')),
      TIMEOUT_MS,
    );
    child.kill('SIGINT');
    const run = await finished;
    expect(api.calls).toContain('POST /v1/predictions/digits.1/cancel');
    expect(run).toMatchObject({ code: 130, stdout: '' });
    expect(run.stderr).toContain('CANCELED');
  });
});
