import { parseJson, type WirePrediction } from '@quern/contract';
import { describe, expect, it } from 'vitest';
import { ApiRefusal } from '../src/api-errors.ts';
import { runInProcess } from './run-in-process.ts';
import { StandInApi, scripted, wireModel, wirePrediction } from './stand-in-api.ts';

const INPUT = '{"image": [[1, 2]]}';
const accepted = { status: 202, body: wirePrediction() };
const processing = { status: 200, body: wirePrediction({ status: 'processing' }) };

function succeeded(output: WirePrediction['output']) {
  const metrics = { queue_time_ms: 1.25, inference_time_ms: 0.4, batch_size: 8, attempts: 1 };
  return { status: 200, body: wirePrediction({ status: 'succeeded', output, metrics }) };
}

describe('quern predict', () => {
  it('waits by long polls and prints the output as JSON', async () => {
    const answer = succeeded({ probabilities: [[0.05, 0.9, 0.05]] });
    await using api = await StandInApi.start(
      scripted({ create: accepted, reads: [processing, answer] }),
    );
    const run = await runInProcess(['predict', 'digits', INPUT, '--url', api.url]);

    expect(run.code).toBe(0);
    expect(JSON.parse(run.stdout)).toEqual({ probabilities: [[0.05, 0.9, 0.05]] });
    expect(run.stderr).toMatch(/^one \(90\.0 %\), zero \(5\.0 %\), two \(5\.0 %\)$/m);
    expect(run.stderr).toMatch(/\(queue 1\.3 ms, inference 0\.4 ms, batch of 8\)$/m);
    expect(api.calls).toEqual([
      'POST /v1/models/digits/predictions',
      'GET /v1/predictions/digits.1?wait=30',
      'GET /v1/predictions/digits.1?wait=30',
      'GET /v1/models/digits',
    ]);
  });

  it('sends version, priority, timeout and key', async () => {
    await using api = await StandInApi.start(
      scripted({ create: succeeded({ y: [1] }), model: { status: 200, body: wireModel() } }),
    );
    const options = ['--model-version', '2', '--priority', 'high', '--timeout', '1.5'];
    await runInProcess(['predict', 'digits', '-', ...options], {
      stdin: '{"description": "not sent", "input": {"x": [1]}, "expected": {}}',
      env: { QUERN_URL: `${api.url}/`, QUERN_API_KEY: 'secret' },
    });

    const [request] = api.requests;
    expect(request?.url).toBe('/v1/models/digits/versions/2/predictions');
    expect(request?.headers.authorization).toBe('Bearer secret');
    expect(request?.body).toEqual({ input: { x: [1] }, priority: 'high', timeout_ms: 1500 });
  });

  it('keeps integers beyond 2^53 exact both ways', async () => {
    const big = 9_223_372_036_854_775_807n;
    await using api = await StandInApi.start(scripted({ create: succeeded({ sum: [big, -1] }) }));
    const input = '{"x": [9007199254740993]}';
    const run = await runInProcess(['predict', 'adder', input, '--url', api.url]);

    expect(api.requests[0]?.body).toEqual({ input: { x: [9_007_199_254_740_993n] } });
    expect(parseJson(run.stdout)).toEqual({ sum: [big, -1] });
  });

  it('prints the whole prediction with --json, and no labels', async () => {
    const answer = succeeded({ probabilities: [[0, 1, 0]] });
    await using api = await StandInApi.start(scripted({ create: answer }));
    const run = await runInProcess(['predict', 'digits', INPUT, '--json', '--url', api.url]);

    expect(JSON.parse(run.stdout)).toEqual(answer.body);
    expect(run.stderr).not.toContain('one');
  });

  it('says why a prediction failed', async () => {
    const error = { code: 'INFERENCE_FAILED', message: 'Mul: bad shape', retryable: false };
    const failed = { status: 200, body: wirePrediction({ status: 'failed', error }) };
    await using api = await StandInApi.start(scripted({ create: accepted, reads: [failed] }));
    const run = await runInProcess(['predict', 'digits', INPUT, '--url', api.url]);

    expect(run.code).toBe(1);
    expect(run.stdout).toBe('');
    expect(run.stderr).toBe('INFERENCE_FAILED: Mul: bad shape\n');
  });

  it('hands on a refusal with the time to come back', async () => {
    const error = { code: 'QUEUE_FULL', message: 'digits has 10000 waiting' };
    await using api = await StandInApi.start(
      scripted({ create: { status: 429, body: { error }, headers: { 'retry-after': '7' } } }),
    );
    const run = await runInProcess(['predict', 'digits', INPUT, '--url', api.url]);

    expect(run.error).toBeInstanceOf(ApiRefusal);
    expect(run.error).toMatchObject({ code: 'QUEUE_FULL', status: 429, retryAfterSeconds: 7 });
  });

  it('goes on waiting while the API is away, since the prediction is in the queue', async () => {
    const error = { code: 'REDIS_UNAVAILABLE', message: 'Redis cannot be reached' };
    const away = { status: 503, body: { error }, headers: { 'retry-after': '0' } };
    await using api = await StandInApi.start(
      scripted({ create: accepted, reads: [away, away, succeeded({ y: [1] })] }),
    );
    const run = await runInProcess(['predict', 'digits', INPUT, '--url', api.url]);

    expect(run.code).toBe(0);
    expect(JSON.parse(run.stdout)).toEqual({ y: [1] });
  });

  it('succeeds without labels when the model cannot be read any more', async () => {
    const gone = { status: 404, body: { error: { code: 'MODEL_NOT_FOUND', message: 'gone' } } };
    await using api = await StandInApi.start(
      scripted({ create: succeeded({ probabilities: [[0, 1, 0]] }), model: gone }),
    );
    const run = await runInProcess(['predict', 'digits', INPUT, '--url', api.url]);
    expect(run.code).toBe(0);
  });

  it('says so when somebody else answers at the URL', async () => {
    await using api = await StandInApi.start(() => ({ status: 200, body: { hello: 'world' } }));
    const run = await runInProcess(['predict', 'digits', INPUT, '--url', api.url]);
    expect(run.error).toMatchObject({ name: 'ApiUnreachable' });
    expect(String(run.error)).toContain('not Quern');
  });
});
