import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type PlainValue, QuernClient, tensor } from '@quern/client';
import { eventually, freePort } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser, noBrowserReason } from '../../packages/dashboard/test/browser.ts';
import { inRepository } from '../repository.ts';
import { documentedExamples, ExampleProject } from './documented-examples.ts';
import { loopInput } from './loop-model.ts';
import { type RunningStack, startStack } from './running-stack.ts';
import { readSamples } from './samples.ts';

const examples = [
  ...(await documentedExamples('packages/client/README.md')),
  ...(await documentedExamples('docs/direct-producers.md')),
];

let running: RunningStack;
let client: QuernClient;
let pagePort: number;

beforeAll(async () => {
  pagePort = await freePort();
  running = await startStack({
    models: [
      { name: 'slow', onnx: 'loop', yaml: 'batching: {mode: fixed, maxBatchSize: 1}\n' },
      { name: 'exact', onnx: 'identity-int64' },
    ],
    examples: ['digits', 'credit-risk'],
    env: { QUERN_CORS_ORIGINS: `http://127.0.0.1:${pagePort}` },
  });
  client = new QuernClient({ url: running.stack.apiUrl });
});

afterAll(() => running?.stop());

it('predicts with typed arrays, exact to the last bit', async () => {
  const data = BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n));
  const { y } = await client.predict('exact', { x: tensor([2, 1], data) });
  expect(y).toEqual({ datatype: 'INT64', shape: [2, 1], data });
  const plain = await client.predict('exact', { x: [[2n ** 63n - 1n], [5]] });
  expect(plain['y']).toEqual([[2n ** 63n - 1n], [5]]);
});

it('finds the same prediction when it submits again under the same id', async () => {
  const first = await client.submit('exact', { x: [[1]] }, { id: 'once' });
  const again = await client.submit('exact', { x: [[1]] }, { id: 'once' });
  expect((await again.wait()).completedAt).toEqual((await first.wait()).completedAt);
  await expect(client.submit('exact', { x: [[2]] }, { id: 'once' })).rejects.toMatchObject({
    code: 'CONFLICT',
    status: 409,
  });
});

it('watches a prediction through its life, and lists it', async () => {
  const handle = await client.submit('slow', loopInput(0.5));
  const statuses: string[] = [];
  for await (const { status } of handle.stream()) statuses.push(status);
  expect(statuses.at(-1)).toBe('succeeded');
  expect(statuses).toContain('processing');
  expect((await client.list({ model: 'slow', pageSize: 1 }).next()).value).toMatchObject({
    id: handle.id,
  });
});

it('cancels a prediction by aborting the wait for it', async () => {
  const busy = await client.submit('slow', loopInput(1));
  const controller = new AbortController();
  const options = { id: 'unwanted', signal: controller.signal };
  const unwanted = client.predict('slow', loopInput(0), options);
  const rejected = expect(unwanted).rejects.toBe('changed my mind');
  await eventually(() => client.get('unwanted'));
  controller.abort('changed my mind');
  await rejected;
  expect(await client.wait('unwanted')).toMatchObject({
    status: 'canceled',
    error: { code: 'CANCELED' },
  });
  expect(await busy.output()).toBeDefined();
});

it('drains many inputs, each with its own outcome', async () => {
  const inputs = Array.from({ length: 60 }, (_, i) => ({ x: i === 30 ? [[0.5]] : [[i]] }));
  const outcomes: unknown[] = [];
  for await (const result of client.predictMany('exact', inputs, { concurrency: 16 })) {
    outcomes.push(result.ok ? result.output['y'] : result.error);
  }
  expect(outcomes.splice(30, 1)).toMatchObject([
    { code: 'INVALID_INPUT', details: { path: 'input.x[0][0]' } },
  ]);
  expect(outcomes).toEqual(inputs.filter((_, i) => i !== 30).map(({ x }) => x));
});

it('gets only the outputs that it wants', async () => {
  const [sample] = await readSamples('credit-risk');
  const input = sample?.input as Record<string, PlainValue>;
  const outputs = ['probabilities'];
  expect(Object.keys(await client.predict('credit-risk', input)).length).toBe(2);
  expect(Object.keys(await client.predict('credit-risk', input, { outputs }))).toEqual(outputs);
});

describe('the documented examples', () => {
  let project: ExampleProject;
  beforeAll(async () => {
    const { stack, redis } = running;
    project = await ExampleProject.make({
      'http://127.0.0.1:8080': stack.apiUrl,
      'redis://127.0.0.1:6379': redis.url,
    });
    const quern = inRepository('packages/cli/bin/quern.mjs');
    const out = join(project.directory, 'quern-models.d.ts');
    await promisify(execFile)(process.execPath, [quern, 'types', '--url', stack.apiUrl, '-o', out]);
  });
  afterAll(() => project?.remove());

  it('are accepted by the compiler, with the types that quern writes', async () => {
    expect(await project.compile(examples)).toBe('');
  });

  it('print what the documents say', async () => {
    const printed = await project.run(examples);
    const named = (outputs: readonly string[]) =>
      examples.map(({ title }, i) => ({ title, output: outputs[i] }));
    expect(named(printed)).toEqual(named(examples.map(({ output }) => output)));
  });
});

if (noBrowserReason !== undefined) console.log(`Client in a browser skipped: ${noBrowserReason}`);

describe.skipIf(noBrowserReason !== undefined)('in a browser', () => {
  let browser: Browser;
  let pages: Server;
  beforeAll(async () => {
    pages = await servePages(pagePort);
    browser = await Browser.launch();
  });
  afterAll(async () => {
    await browser?.close();
    await new Promise((resolve) => pages?.close(resolve));
  });

  it('predicts from a page of another origin', async () => {
    const { port } = pages.address() as AddressInfo;
    await browser.page.goto(
      `http://127.0.0.1:${port}/?api=${encodeURIComponent(running.stack.apiUrl)}`,
    );
    await browser.page.locator('#done').waitFor();
    expect(JSON.parse((await browser.page.locator('#done').textContent()) ?? '')).toEqual({
      tensor: ['INT64', '1152921504606846977'],
      plain: [[3]],
      code: 'INVALID_INPUT',
    });
    // The refusal, which browsers note themselves.
    expect(browser.traffic.complaints.filter((text) => !text.includes('400'))).toEqual([]);
  });
});

const PAGE = `<!doctype html><link rel="icon" href="data:,"><script type="module">
import { QuernClient, tensor } from '/client/index.js';
const client = new QuernClient({ url: new URLSearchParams(location.search).get('api') });
const { y } = await client.predict('exact', { x: tensor([1, 1], BigInt64Array.of(2n ** 60n + 1n)) });
const plain = await client.predict('exact', { x: [[3]] });
const { code } = await client.predict('exact', { x: 'no' }).catch((error) => error);
const done = document.createElement('p');
done.id = 'done';
done.textContent = JSON.stringify({ tensor: [y.datatype, String(y.data[0])], plain: plain.y, code });
document.body.append(done);
</script>`;

/** A server of pages: one page, and the client's built modules. */
async function servePages(port: number): Promise<Server> {
  const server = createServer(async (request, response) => {
    const [, name] = /^\/client\/([\w-]+\.js)$/.exec(request.url ?? '') ?? [];
    response.setHeader('content-type', name === undefined ? 'text/html' : 'text/javascript');
    response.end(
      name === undefined ? PAGE : await readFile(inRepository('packages/client/dist', name)),
    );
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}
