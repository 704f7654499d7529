import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { loadRepository } from '@quern/runtime';
import { freePort } from '@quern/testkit';
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../src/api-client.ts';
import { modelViewSchema } from '../src/models/model-view.ts';
import { firstPrediction } from '../src/up/first-prediction.ts';
import { drawGreyImage } from '../src/up/grey-image.ts';
import { untilModelsSettled } from '../src/up/readiness.ts';
import { reservePorts } from '../src/up/reserve-ports.ts';
import { summaryText } from '../src/up/summary.ts';
import { readUpSettings } from '../src/up/up-settings.ts';
import { type Answer, StandInApi, wireModel, wirePrediction } from './stand-in-api.ts';
import { TemporaryFolder } from './temporary-folder.ts';

const EXAMPLES = fileURLToPath(new URL('../../../models', import.meta.url));
const signal = new AbortController().signal;

describe('ports', () => {
  it('names the variable of a port that is in use', async () => {
    const port = await freePort();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const settings = readUpSettings({
      QUERN_API_PORT: '0',
      QUERN_DASHBOARD_PORT: String(port),
      QUERN_WORKER_PORT: '0',
      QUERN_WEBHOOKS_PORT: '0',
    });
    await expect(reservePorts(settings)).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is in use. Set QUERN_DASHBOARD_PORT to another port.`,
    );
    await new Promise((resolve) => server.close(resolve));
  });

  it('notices two services that want the same one', async () => {
    const port = String(await freePort());
    const settings = readUpSettings({
      QUERN_API_PORT: port,
      QUERN_DASHBOARD_PORT: port,
      QUERN_WORKER_PORT: '0',
      QUERN_WEBHOOKS_PORT: '0',
    });
    await expect(reservePorts(settings)).rejects.toThrow('QUERN_DASHBOARD_PORT');
  });

  it('gives back ports that can be used then, and finds some for 0', async () => {
    const env = {
      QUERN_API_PORT: '0',
      QUERN_DASHBOARD_PORT: '0',
      QUERN_WORKER_PORT: '0',
      QUERN_WEBHOOKS_PORT: '0',
    };
    const ports = await reservePorts(readUpSettings(env));
    expect(new Set(Object.values(ports)).size).toBe(4);
    const again = Object.fromEntries(
      Object.keys(env).map((name, index) => [name, String(Object.values(ports)[index])]),
    );
    expect(await reservePorts(readUpSettings(again))).toEqual(ports);
  });
});

describe('settings', () => {
  it.each([
    [{ QUERN_API_PORT: '80a' }, 'QUERN_API_PORT: got "80a"'],
    [{ QUERN_HOST: '0.0.0.0' }, 'QUERN_API_KEYS'],
    [{ QUERN_DASHBOARD_USER: 'ops' }, 'QUERN_DASHBOARD_PASSWORD'],
    [{ QUERN_LOG_LEVEL: 'loud' }, 'QUERN_LOG_LEVEL'],
  ])('refuses %j before anything is started', (env, message) => {
    expect(() => readUpSettings(env)).toThrow(message);
  });

  it('uses the first API key for its own calls, and treats empty as unset', () => {
    const settings = readUpSettings({ QUERN_API_KEYS: 'one,two', QUERN_REDIS_URL: '' });
    expect(settings).toMatchObject({ apiKey: 'one', redisUrl: undefined });
  });
});

describe('untilModelsSettled', () => {
  it('waits until every model is ready or unhealthy', async () => {
    const { models: expected } = await loadRepository(EXAMPLES);
    const inState = (name: string, state: string): unknown =>
      wireModel({ name, versions: [{ ...modelViewSchema.parse(wireModel()).versions[0], state }] });
    const pages = [
      [inState('digits', 'offline')],
      [inState('digits', 'ready'), inState('language', 'loading')],
      [
        inState('digits', 'ready'),
        inState('language', 'ready'),
        inState('credit-risk', 'unhealthy'),
      ],
    ];
    const answers: Answer[] = [
      { status: 503, body: { error: { code: 'REDIS_UNAVAILABLE', message: 'not yet' } } },
      ...pages.map((results) => ({ status: 200, body: { results } })),
    ];
    await using api = await StandInApi.start(() => answers.shift());
    const seen: string[] = [];
    const models = await untilModelsSettled({
      client: new ApiClient({ url: api.url }),
      expected,
      signal,
      onProgress: (text) => seen.push(text),
      timeoutMs: 10_000,
    });
    expect(models.map(({ name }) => name)).toEqual(['digits', 'language', 'credit-risk']);
    expect(seen).toEqual([
      'Waiting for the API',
      'Loading credit-risk, digits, language',
      'Loading credit-risk, language',
    ]);
  });
});

describe('the first prediction', () => {
  it('asks digits about a real sample and tells question, answer and how to repeat it', async () => {
    const labels = Array.from({ length: 10 }, (_item, index) => String(index));
    const probabilities = [labels.map((label) => (label === '7' ? 1 : 0))];
    const prediction = wirePrediction({ status: 'succeeded', output: { probabilities } });
    await using api = await StandInApi.start(() => ({ status: 200, body: prediction }));
    const { models } = await loadRepository(EXAMPLES);
    const client = new ApiClient({ url: api.url, apiKey: 'secret' });
    const text = await firstPrediction({ client, models, views: [], needsKey: true, signal });

    expect(api.requests[0]).toMatchObject({ url: '/v1/models/digits/predictions' });
    expect(api.requests[0]?.headers['prefer']).toMatch(/^wait=/);
    expect(text).toContain('true label: 7');
    expect(text).toMatch(/^ {2}answer {4}7 \(100\.0 %\)$/m);
    expect(text).toContain(`curl -s ${api.url}/v1/models/digits/predictions`);
    expect(text).not.toContain('secret');
  });

  it('shows the refusal instead of failing', async () => {
    const error = { code: 'QUEUE_FULL', message: 'full' };
    await using api = await StandInApi.start(() => ({ status: 429, body: { error } }));
    const { models } = await loadRepository(EXAMPLES);
    const client = new ApiClient({ url: api.url });
    const text = await firstPrediction({ client, models, views: [], needsKey: false, signal });
    expect(text).toContain('QUEUE_FULL: full');
  });

  it('says how to add a sample where there is none, and passes over broken ones', async () => {
    await using folder = await TemporaryFolder.make();
    mkdirSync(folder.join('plain', '1'), { recursive: true });
    mkdirSync(folder.join('plain', 'samples'));
    writeFileSync(folder.join('plain', '1', 'model.onnx'), '');
    writeFileSync(folder.join('plain', 'samples', 'broken.json'), '{"input": ');
    const { models } = await loadRepository(folder.path);
    const client = new ApiClient({ url: 'http://127.0.0.1:1' });
    const options = { client, views: [], needsKey: false, signal };
    expect(await firstPrediction({ ...options, models })).toContain('samples/NAME.json');
    expect(await firstPrediction({ ...options, models: [] })).toContain('NAME/1/model.onnx');
  });

  it('draws small grey images, and nothing else', () => {
    const rows = [
      [0, 0, 16, 0],
      [0, 8, 16, 0],
      [0, 0, 16, 0],
      [0, 0, 16, 0],
    ];
    expect(drawGreyImage({ image: [[rows]] })).toEqual(['    @@', '  ++@@', '    @@', '    @@']);
    expect(drawGreyImage({ image: [[rows]], other: [1] })).toBeUndefined();
    expect(drawGreyImage({ image: [rows, rows] })).toBeUndefined();
    expect(drawGreyImage({ text: [[1, 2, 3]] })).toBeUndefined();
  });
});

it('sums up where everything is and what is wrong', () => {
  const text = summaryText({
    startedInMs: 3210,
    apiUrl: 'http://127.0.0.1:8080',
    dashboardUrl: 'http://127.0.0.1:8081',
    redis: 'private',
    models: [modelViewSchema.parse(wireModel())],
    problems: [
      { model: 'odd', file: 'models/odd/model.yaml', line: 3, key: 'batching', message: 'x' },
    ],
  });
  for (const part of [
    'Quern is up (3.2 s)',
    'http://127.0.0.1:8080/docs',
    'Bull Board  http://127.0.0.1:8081',
    'digits        1  ready  cpu       Recognises digits',
    'models/odd/model.yaml:3: batching: x',
  ]) {
    expect(text).toContain(part);
  }
});
