import { lstat, readdir } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { verifyWebhook } from '@quern/client';
import { EXAMPLE_MODELS, eventually, freePort } from '@quern/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ComposeProcesses } from './compose-processes.ts';
import { type Accepted, submitMany, tallyOutcomes } from './load.ts';
import type { ApiCaller } from './predictions.ts';
import { readSamples } from './samples.ts';

const WORKERS = 3;
const API_KEY = 'key-of-a-client';
const OPERATOR = { user: 'ops', password: 'a password of some length' };

let compose: ComposeProcesses;
let apiUrl: string;
let dashboardUrl: string;
let filesBefore: string[];
/** Accepted right before the services went down: the tests of this file tell one story, in order. */
let interrupted: Accepted[];

beforeAll(async () => {
  const apiPort = await freePort();
  const dashboardPort = await freePort();
  apiUrl = `http://127.0.0.1:${apiPort}`;
  dashboardUrl = `http://127.0.0.1:${dashboardPort}`;
  compose = await ComposeProcesses.build({
    QUERN_API_KEYS: `another-key,${API_KEY}`,
    QUERN_API_PORT: String(apiPort),
    QUERN_DASHBOARD_PORT: String(dashboardPort),
    QUERN_DASHBOARD_USER: OPERATOR.user,
    QUERN_DASHBOARD_PASSWORD: OPERATOR.password,
    QUERN_EGRESS_ALLOW: '127.0.0.1',
    QUERN_DASHBOARD_SECRET: '0123456789abcdef0123456789abcdef',
    WORKER_REPLICAS: String(WORKERS),
  });
  filesBefore = await readOnlyFiles();
  await compose.up();
});

afterAll(() => compose?.remove());

/** A client of the published port, with its key. */
const client: ApiCaller = {
  get: async (path) => (await fetch(`${apiUrl}${path}`, { headers: authorization() })).json(),
  post: (path, body, headers) =>
    fetch(`${apiUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization(), ...headers },
      body: JSON.stringify(body),
    }),
};

function authorization(): Record<string, string> {
  return { authorization: `Bearer ${API_KEY}` };
}

it('comes up: every healthcheck passes, of three workers too', async () => {
  expect(compose.of('worker')).toHaveLength(WORKERS);
  for (const service of ['redis', 'api', 'worker', 'webhooks', 'dashboard']) {
    for (const { isHealthy } of compose.of(service)) expect(await isHealthy()).toBe(true);
  }
});

it('answers who has a key, and nobody else', async () => {
  const response = await fetch(`${apiUrl}/v1/models`);
  expect(response.status).toBe(401);
  for (const model of ['digits', 'credit-risk', 'language']) {
    const samples = await readSamples(model);
    const count = samples.length;
    const accepted = await submitMany(client, { model, samples, count, callers: 2 });
    expect(await tallyOutcomes(client, accepted, 60_000)).toEqual({ succeeded: count });
  }
});

it('shares the work among all workers', async () => {
  const samples = await readSamples('digits');
  await eventually(async () => {
    const accepted = await submitMany(client, { model: 'digits', samples, count: 100, callers: 8 });
    expect(await tallyOutcomes(client, accepted, 60_000)).toEqual({ succeeded: 100 });
    for (const { url } of compose.of('worker')) {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      expect(metrics).toMatch(
        /^quern_worker_predictions_total\{[^}]*outcome="succeeded".*\} [1-9]/m,
      );
    }
  }, 60_000);
});

it('tells a receiver of an end, with a signature by the secret that the API tells', async () => {
  let tell: (delivery: { body: Buffer; headers: IncomingHttpHeaders }) => void = () => {};
  const told = new Promise<Parameters<typeof tell>[0]>((resolve) => {
    tell = resolve;
  });
  const receiver = createServer(async (request, response) => {
    tell({ body: await buffer(request), headers: request.headers });
    response.writeHead(204).end();
  });
  const port = await freePort();
  await new Promise<void>((resolve) => receiver.listen(port, '127.0.0.1', resolve));
  try {
    const [sample] = await readSamples('digits');
    const webhook = `http://127.0.0.1:${port}/hook`;
    const path = '/v1/models/digits/predictions';
    const created = await client.post(path, { input: sample?.input, webhook });
    const { id } = (await created.json()) as { id: string };
    const { body, headers } = await told;
    const { key } = (await client.get('/v1/webhooks/default/secret')) as { key: string };
    const { payload } = await verifyWebhook(body, headers, key);
    expect(payload).toMatchObject({ id, status: 'succeeded' });
  } finally {
    receiver.close();
    receiver.closeAllConnections();
  }
});

it('shows the board to who signs in', async () => {
  const board = `${dashboardUrl}/api/queues`;
  expect((await fetch(board)).status).toBe(401);
  const signIn = await fetch(`${dashboardUrl}/sign-in`, {
    method: 'POST',
    headers: { origin: dashboardUrl },
    body: new URLSearchParams(OPERATOR),
    redirect: 'manual',
  });
  expect(signIn.status).toBe(303);
  const cookie = signIn.headers
    .getSetCookie()
    .map((text) => text.split(';')[0])
    .join('; ');
  const response = await fetch(board, { headers: { cookie } });
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('"digits"');
});

it('goes down within the grace periods, in the middle of work', async () => {
  const samples = await readSamples('digits');
  interrupted = await submitMany(client, { model: 'digits', samples, count: 200, callers: 16 });
  const names = ['api', 'worker', 'webhooks', 'dashboard', 'redis'];
  const processes = names.flatMap((name) => compose.of(name));
  expect(processes).toHaveLength(WORKERS + 4);
  const stoppedAtMs = performance.now();
  const ends = processes.map(async ({ process, stopGraceMs }) => {
    expect(await process.exited, process.tail()).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedAtMs).toBeLessThan(stopGraceMs);
  });
  await compose.down();
  await Promise.all(ends);
});

it('has written nothing where the containers could not', async () => {
  expect(await readOnlyFiles()).toEqual(filesBefore);
});

it('completes after the next start what it had accepted before', async () => {
  await compose.up();
  expect(await tallyOutcomes(client, interrupted, 60_000)).toEqual({ succeeded: 200 });
});

/** Every file of the images and of the mounted models, with its size and time. */
async function readOnlyFiles(): Promise<string[]> {
  const folders = [
    ...['api', 'worker', 'webhooks', 'dashboard'].map((name) => compose.imageOf(name)),
    EXAMPLE_MODELS,
  ];
  const entries = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(folder, { recursive: true })).map((name) => join(folder, name)),
    ),
  );
  return Promise.all(
    entries.flat().map(async (file) => {
      const { size, mtimeMs } = await lstat(file);
      return `${file} ${size} ${mtimeMs}`;
    }),
  );
}
