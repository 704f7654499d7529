import type { RequestListener } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseAllowRule } from '../src/address-rules.ts';
import { EgressClient, type EgressClientOptions } from '../src/egress-client.ts';
import { foreignHost } from './foreign-host.ts';

const LIMITS = { maxBytes: 1000 };

function clientFor(
  allow: string[],
  options: Omit<Partial<EgressClientOptions>, 'rules'> = {},
): EgressClient {
  const rules = {
    allow: allow.flatMap((text) => parseAllowRule(text) ?? []),
    httpsOnly: false,
  };
  const client = new EgressClient({ rules, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** A resolver whose answer is another one each time; the last is kept. */
function changingDns(...answers: string[][]) {
  let asked = 0;
  const resolveHost = async () => {
    const addresses = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    return addresses.map((address) => ({ address, family: 4 }));
  };
  return { resolveHost };
}

const hello: RequestListener = (_request, response) => {
  response.setHeader('connection', 'close');
  response.end('hello');
};

describe('a request', () => {
  test('brings back what an allowed host answers, whatever the status', async () => {
    const { port } = await foreignHost(async (request, response) => {
      const chunks = await request.toArray();
      response.writeHead(418, { 'x-got': `${request.method} ${request.headers['x-sent']}` });
      response.end(Buffer.concat(chunks));
    });
    const client = clientFor(['127.0.0.1']);
    const answer = await client.request(`http://127.0.0.1:${port}/pot?a=1`, {
      ...LIMITS,
      method: 'POST',
      headers: { 'x-sent': 'tea' },
      body: 'leaves',
    });
    expect(answer).toMatchObject({ status: 418, isTruncated: false });
    expect(answer.headers['x-got']).toBe('POST tea');
    expect(answer.body.toString()).toBe('leaves');
  });

  test('is not sent to an address that is not allowed', async () => {
    const host = await foreignHost(hello);
    const client = clientFor([]);
    await expect(client.request(`http://127.0.0.1:${host.port}/`, LIMITS)).rejects.toMatchObject({
      code: 'ADDRESS_REFUSED',
    });
    expect(host.connections()).toBe(0);
  });

  test('is not sent when the name leads to a refused address, though it led elsewhere before', async () => {
    const here = await foreignHost(hello, '127.0.0.1');
    const there = await foreignHost(hello, '127.0.0.2', here.port);
    const dns = changingDns(['127.0.0.2'], ['127.0.0.1']);
    const client = clientFor(['127.0.0.2'], dns);
    const url = `http://rebinding.example:${here.port}/`;
    expect((await client.request(url, LIMITS)).body.toString()).toBe('hello');
    await expect(client.request(url, LIMITS)).rejects.toMatchObject({
      code: 'ADDRESS_REFUSED',
      message: expect.stringContaining('rebinding.example has no public address (got 127.0.0.1)'),
    });
    expect(there.connections()).toBe(1);
    expect(here.connections()).toBe(0);
  });

  test('goes to the allowed ones alone of several addresses', async () => {
    const here = await foreignHost(hello, '127.0.0.1');
    const there = await foreignHost(hello, '127.0.0.2', here.port);
    const client = clientFor(['127.0.0.2'], changingDns(['127.0.0.1', '127.0.0.2']));
    await client.request(`http://both.example:${here.port}/`, LIMITS);
    expect([here.connections(), there.connections()]).toEqual([0, 1]);
  });

  test('goes wherever the name of an allowed host leads', async () => {
    const { port } = await foreignHost(hello);
    const client = clientFor(['hooks.internal'], changingDns(['127.0.0.1']));
    const answer = await client.request(`http://hooks.internal:${port}/`, LIMITS);
    expect(answer.status).toBe(200);
  });

  test('says so when the name has no address', async () => {
    const client = clientFor([], {
      resolveHost: () => Promise.reject(new Error('getaddrinfo ENOTFOUND nowhere.example')),
    });
    await expect(client.request('http://nowhere.example/', LIMITS)).rejects.toMatchObject({
      code: 'FOREIGN_HOST_FAILED',
      retryable: true,
      details: { reason: 'connection' },
      message: expect.stringContaining('ENOTFOUND nowhere.example'),
    });
  });
});

describe('an answer', () => {
  const large: RequestListener = (_request, response) => {
    const more = () => {
      while (response.write(Buffer.alloc(16_384))) {
        // Until the receiver is slower, and without end.
      }
    };
    response.on('drain', more);
    more();
  };

  test('over the limit is an error', async () => {
    const { port } = await foreignHost(large);
    const client = clientFor(['127.0.0.1']);
    await expect(client.request(`http://127.0.0.1:${port}/`, LIMITS)).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
  });

  test('over the limit is cut off where that is asked for', async () => {
    const { port } = await foreignHost(large);
    const client = clientFor(['127.0.0.1']);
    const answer = await client.request(`http://127.0.0.1:${port}/`, {
      ...LIMITS,
      oversize: 'truncate',
    });
    expect(answer).toMatchObject({ status: 200, isTruncated: true });
    expect(answer.body.byteLength).toBe(1000);
  });

  test('of exactly the limit is whole', async () => {
    const { port } = await foreignHost((_request, response) => response.end('x'.repeat(1000)));
    const answer = await clientFor(['127.0.0.1']).request(`http://127.0.0.1:${port}/`, LIMITS);
    expect(answer.isTruncated).toBe(false);
    expect(answer.body.byteLength).toBe(1000);
  });

  test.each([
    ['that does not come', () => {}],
    [
      'that does not end',
      (_request, response) => {
        response.write('begun');
      },
    ],
  ] satisfies [string, RequestListener][])(
    '%s is waited for no longer than the limit',
    async (_what, listener) => {
      const { port } = await foreignHost(listener);
      const client = clientFor(['127.0.0.1']);
      await expect(
        client.request(`http://127.0.0.1:${port}/`, { ...LIMITS, totalTimeoutMs: 100 }),
      ).rejects.toMatchObject({
        code: 'FOREIGN_HOST_FAILED',
        details: { reason: 'timeout' },
        message: expect.stringContaining('100 ms'),
      });
    },
  );

  test('that breaks off is an error', async () => {
    const { port } = await foreignHost((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('begun', () => response.destroy());
    });
    await expect(
      clientFor(['127.0.0.1']).request(`http://127.0.0.1:${port}/`, LIMITS),
    ).rejects.toMatchObject({ code: 'FOREIGN_HOST_FAILED', details: { reason: 'connection' } });
  });
});

describe('a redirect', () => {
  /** `/3` leads to `/2`, and so on to `/0`. */
  const staircase: RequestListener = (request, response) => {
    const step = Number(request.url?.slice(1));
    if (step === 0) response.end(`arrived ${request.headers['x-token'] ?? 'without token'}`);
    else response.writeHead(302, { location: `/${step - 1}` }).end();
  };

  test('is an error unless the caller wants it', async () => {
    const { port } = await foreignHost(staircase);
    const client = clientFor(['127.0.0.1']);
    const url = `http://127.0.0.1:${port}/1`;
    await expect(client.request(url, LIMITS)).rejects.toMatchObject({
      code: 'FOREIGN_HOST_FAILED',
      retryable: false,
      details: { reason: 'redirect' },
    });
    expect((await client.request(url, { ...LIMITS, redirect: 'manual' })).status).toBe(302);
  });

  test('is followed at most three times where that is asked for', async () => {
    const { port } = await foreignHost(staircase);
    const client = clientFor(['127.0.0.1']);
    const options = { ...LIMITS, redirect: 'follow', headers: { 'x-token': 'abc' } } as const;
    const answer = await client.request(`http://127.0.0.1:${port}/3`, options);
    expect(answer.body.toString()).toBe('arrived abc');
    expect(answer.url.pathname).toBe('/0');
    await expect(client.request(`http://127.0.0.1:${port}/4`, options)).rejects.toThrow(
      'redirects more than 3 times',
    );
  });

  test('is not followed to an address that is not allowed', async () => {
    const inside = await foreignHost(hello);
    const { port } = await foreignHost((_request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${inside.port}/` }).end();
    }, '127.0.0.2');
    await expect(
      clientFor(['127.0.0.2']).request(`http://127.0.0.2:${port}/`, {
        ...LIMITS,
        redirect: 'follow',
      }),
    ).rejects.toMatchObject({ code: 'ADDRESS_REFUSED' });
    expect(inside.connections()).toBe(0);
  });

  test('to another origin leaves the headers of the request behind', async () => {
    const other = await foreignHost(staircase);
    const { port } = await foreignHost((_request, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${other.port}/0` }).end();
    });
    const answer = await clientFor(['127.0.0.1']).request(`http://127.0.0.1:${port}/`, {
      ...LIMITS,
      redirect: 'follow',
      headers: { 'x-token': 'abc' },
    });
    expect(answer.body.toString()).toBe('arrived without token');
  });
});

describe('ending', () => {
  test("a request with the caller's signal rejects with its reason", async () => {
    const controller = new AbortController();
    const { port } = await foreignHost(() => controller.abort(new Error('no longer wanted')));
    await expect(
      clientFor(['127.0.0.1']).request(`http://127.0.0.1:${port}/`, {
        ...LIMITS,
        signal: controller.signal,
      }),
    ).rejects.toThrow('no longer wanted');
  });

  test('the client breaks off what is under way, and refuses what comes later', async () => {
    const client = clientFor(['127.0.0.1']);
    const { port } = await foreignHost(() => void client.close());
    const url = `http://127.0.0.1:${port}/`;
    await expect(client.request(url, LIMITS)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
    await expect(client.request(url, LIMITS)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(client.close()).toBe(client.close());
  });
});
