import { Agent, createServer, get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  Counter,
  closeServer,
  createMetricsRegistry,
  Gauge,
  listen,
  type Registry,
  serveProbes,
} from '../src/index.ts';

let metrics: Registry;
let isReady: boolean;
let probes: Awaited<ReturnType<typeof serveProbes>>;
beforeEach(async () => {
  metrics = createMetricsRegistry('test');
  isReady = true;
  probes = await serveProbes({
    host: '127.0.0.1',
    port: 0,
    portVariable: 'QUERN_TEST_PORT',
    metrics,
    readiness: () => {
      if (metrics.getSingleMetric('broken_readiness') !== undefined) throw new Error('no idea');
      return { ready: isReady, models: ['digits'] };
    },
  });
});
afterEach(() => probes.close());

const fetchPath = (path: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${probes.port}${path}`);

describe('probes', () => {
  test('say that the process lives and whether it is ready', async () => {
    expect(await (await fetchPath('/health/live')).json()).toEqual({ live: true });
    expect((await fetchPath('/health/ready?from=kubelet')).status).toBe(200);
    isReady = false;
    const response = await fetchPath('/health/ready');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false, models: ['digits'] });
  });

  test('show metrics, each with the process', async () => {
    new Counter({ name: 'quern_test_total', help: 'A count.', registers: [metrics] }).inc(3);
    const response = await fetchPath('/metrics');
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=/);
    const text = await response.text();
    expect(text).toContain('quern_test_total{process="test"} 3');
    expect(text).toContain('nodejs_eventloop_lag_seconds{process="test"}');
  });

  test('that fail are answers and not the end of the process', async () => {
    new Gauge({
      name: 'broken_readiness',
      help: 'Cannot be collected.',
      registers: [metrics],
      collect: () => {
        throw new Error('cannot count');
      },
    });
    for (const [path, error] of [
      ['/metrics', 'cannot count'],
      ['/health/ready', 'no idea'],
    ] as const) {
      const response = await fetchPath(path);
      expect([response.status, await response.json()]).toEqual([500, { error }]);
    }
    expect((await fetchPath('/health/live')).status).toBe(200);
  });

  test('know nothing else', async () => {
    for (const path of ['/', '/health', '/health/live/x', '//', '/%00']) {
      expect((await fetchPath(path)).status).toBe(404);
    }
  });
});

describe('listening', () => {
  test('on a port in use names the variable to change', async () => {
    await expect(
      serveProbes({
        host: '127.0.0.1',
        port: probes.port,
        portVariable: 'QUERN_WORKER_PORT',
        metrics,
        readiness: () => ({ ready: true }),
      }),
    ).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `Port ${probes.port} on 127.0.0.1 is in use. Set QUERN_WORKER_PORT to another port.`,
    });
  });

  test('on an address of another machine says so', async () => {
    const options = { host: '192.0.2.1', port: 0, portVariable: 'X' };
    await expect(listen(createServer(), options)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('192.0.2.1 is not an address of this machine'),
    });
  });
});

describe('closing a server', () => {
  test('lets a request end, refuses new ones, and does not wait for connections kept alive', async () => {
    let answer = (): void => {};
    let arrived = (): void => {};
    const isThere = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const server = createServer((_request, response) => {
      answer = () => response.end('done');
      arrived();
    });
    server.keepAliveTimeout = 600_000;
    const port = await listen(server, { host: '127.0.0.1', port: 0, portVariable: 'X' });
    const agent = new Agent({ keepAlive: true });
    const responding = new Promise<IncomingMessage>((resolve) => {
      get({ host: '127.0.0.1', port, agent }, resolve);
    });
    await isThere;
    const closing = closeServer(server);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
    answer();
    const response = await responding;
    let text = '';
    for await (const chunk of response) text += chunk;
    expect(text).toBe('done');
    await closing;
    await closeServer(server);
    agent.destroy();
  });
});
