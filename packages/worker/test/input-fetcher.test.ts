import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  decodeTensors,
  encodeBytesElements,
  encodeTensors,
  type ModelSignature,
  splitBytesElements,
} from '@quern/contract';
import { EgressClient, egressRules, parseAllowRule } from '@quern/egress';
import { CancellationWatch, type QueuedPrediction, ReturnToQueue } from '@quern/queue';
import { eventually } from '@quern/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { InputFetcher } from '../src/input-fetcher.ts';

const SIGNATURE: ModelSignature = {
  inputs: [
    { name: 'image', datatype: 'BYTES', shape: [-1], field: { kind: 'image', maxBytes: 50 } },
  ],
  outputs: [],
  batchable: true,
  maxRows: 8,
};

interface FetcherLimits {
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
  readonly allow?: string;
}

function fetcherWith({
  maxBytes = 1000,
  timeoutMs = 5000,
  allow = '127.0.0.1',
}: FetcherLimits = {}) {
  const egressAllow = allow.split(',').flatMap((text) => parseAllowRule(text) ?? []);
  const egress = new EgressClient({ rules: egressRules({ egressAllow, egressHttpsOnly: false }) });
  onTestFinished(() => egress.close());
  const payloads = { read: async () => [null] };
  return { egress, fetcher: new InputFetcher({ egress, payloads, maxBytes, timeoutMs }) };
}

/** A server of the test's own. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A prediction whose rows are files, or URLs of files. */
function predictionOf(
  elements: readonly (string | Uint8Array)[],
  cancellation = new CancellationWatch(),
) {
  const data = encodeBytesElements(elements);
  const tensor = { name: 'image', datatype: 'BYTES', shape: [elements.length], data } as const;
  const prediction = {
    id: 'p',
    input: { inline: encodeTensors([tensor]) },
    cancellation,
  } as unknown as QueuedPrediction;
  const references = elements.flatMap((element, index) =>
    typeof element === 'string' ? { input: 'image', element: index } : [],
  );
  return { prediction, references };
}

async function fetchAll(
  fetcher: InputFetcher,
  elements: readonly (string | Uint8Array)[],
): Promise<string[]> {
  const { prediction, references } = predictionOf(elements);
  const { input } = await fetcher.fetched(prediction, references, SIGNATURE);
  const [tensor] = 'inline' in input ? decodeTensors(input.inline) : [];
  return splitBytesElements(tensor?.data ?? new Uint8Array()).map((bytes) =>
    Buffer.from(bytes).toString(),
  );
}

test('puts what URLs lead to in their places, redirects followed', async () => {
  const url = await serve(({ url: path }, response) => {
    if (path === '/moved') response.writeHead(302, { location: '/b' }).end();
    else response.end(`file ${path}`);
  });
  const { fetcher } = fetcherWith();
  const sent = Buffer.from('sent along');
  expect(await fetchAll(fetcher, [`${url}/a`, sent, `${url}/moved`])).toEqual([
    'file /a',
    'sent along',
    'file /b',
  ]);
});

test.each([
  ['/404', 404, false, /answers 404/],
  ['/503', 503, true, /answers 503/],
  ['/large', 200, false, /./],
  ['/slow', 0, true, /./],
  ['/broken', 0, true, /./],
])('%s fails the prediction, retryable or not', async (path, status, retryable, message) => {
  const url = await serve((request, response) => {
    if (request.url?.startsWith('/large')) response.end('x'.repeat(51));
    else if (request.url?.startsWith('/slow')) response.write('x');
    else if (request.url?.startsWith('/broken')) response.destroy();
    else response.writeHead(status).end();
  });
  const { fetcher } = fetcherWith({ timeoutMs: 300 });
  const failed = fetchAll(fetcher, [`${url}${path}?secret=1`]);
  await expect(failed).rejects.toMatchObject({ code: 'INPUT_FETCH_FAILED', retryable });
  await expect(failed).rejects.toThrow(message);
  await expect(failed).rejects.not.toThrow(/secret/);
});

test('counts the bytes of all URLs together', async () => {
  const url = await serve((_, response) => response.end('x'.repeat(40)));
  const { fetcher } = fetcherWith({ maxBytes: 60 });
  await expect(fetchAll(fetcher, [`${url}/a`, `${url}/b`])).rejects.toMatchObject({
    code: 'PAYLOAD_TOO_LARGE',
  });
});

test('goes to no private address, also not by a redirect', async () => {
  let asked = 0;
  const inner = await serve((_, response) => {
    asked += 1;
    response.end('secret');
  });
  const outer = await serve((_, response) => response.writeHead(302, { location: inner }).end());
  const { fetcher } = fetcherWith({ allow: '10.0.0.1' });
  const refused = { code: 'INPUT_FETCH_FAILED', retryable: false };
  await expect(fetchAll(fetcher, [inner])).rejects.toMatchObject(refused);
  await expect(fetchAll(fetcher, [outer])).rejects.toMatchObject(refused);
  expect(asked).toBe(0);
});

test('is off where the operator says so', async () => {
  const payloads = { read: async () => [null] };
  const fetcher = new InputFetcher({ egress: undefined, payloads, maxBytes: 10, timeoutMs: 10 });
  await expect(fetchAll(fetcher, ['https://example.com/a.png'])).rejects.toThrow(
    /QUERN_INPUT_URLS=false/,
  );
});

test('gives back what comes beyond the share of a slow host, and serves another host', async () => {
  const held: (() => void)[] = [];
  const slow = await serve((_, response) => void held.push(() => response.end('late')));
  const quick = await serve((_, response) => response.end('quick'));
  const { fetcher } = fetcherWith();
  const waiting = Array.from({ length: 8 }, () => fetchAll(fetcher, [slow]));
  await eventually(() => expect(held).toHaveLength(8));
  await expect(fetchAll(fetcher, [slow])).rejects.toBeInstanceOf(ReturnToQueue);
  expect(await fetchAll(fetcher, [quick])).toEqual(['quick']);
  for (const release of held.splice(0)) release();
  expect((await Promise.all(waiting)).flat()).toEqual(Array(8).fill('late'));
  const again = fetchAll(fetcher, [slow]);
  await eventually(() => expect(held).toHaveLength(1));
  held[0]?.();
  expect(await again).toEqual(['late']);
});

test('is broken off when the prediction is canceled, and when the worker stops', async () => {
  const url = await serve(() => {});
  const { fetcher, egress } = fetcherWith();
  const cancellation = new CancellationWatch();
  const { prediction, references } = predictionOf([url], cancellation);
  const broken = [fetcher.fetched(prediction, references, SIGNATURE), fetchAll(fetcher, [url])].map(
    (fetching) => expect(fetching).rejects.toBeInstanceOf(ReturnToQueue),
  );
  cancellation.cancel();
  await broken[0];
  await egress.close();
  await broken[1];
});
