import { createServer } from 'node:net';
import {
  freePort,
  SERVICES,
  type ServiceName,
  startService,
  type TestProcess,
  TestRedis,
  untilAnswers,
} from '@quern/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const NAMES: readonly ServiceName[] = ['api', 'worker', 'dashboard'];

let redis: TestRedis;
let started: TestProcess[];

beforeEach(async () => {
  redis = await TestRedis.start();
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((service) => service.stop('SIGKILL')));
  await redis.stop();
});

function start(name: ServiceName, env: Readonly<Record<string, string>>): TestProcess {
  const service = startService(name, { QUERN_REDIS_URL: redis.url, ...env });
  started.push(service);
  return service;
}

describe.each(NAMES)('the %s', (name) => {
  const { portVariable, livePath } = SERVICES[name];

  it('says that it waits for Redis, and exits when it does not come in time', async () => {
    await redis.kill();
    const service = start(name, { [portVariable]: '0', QUERN_REDIS_WAIT_MS: '700' });
    await service.line(/Waiting for Redis.*ECONNREFUSED/);
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect(service.tail()).toMatch(/did not answer within 700 ms.*QUERN_REDIS_URL/);
  });

  it('comes up when Redis does', async () => {
    await redis.kill();
    const port = await freePort();
    const service = start(name, { [portVariable]: String(port), QUERN_REDIS_WAIT_MS: '60000' });
    await service.line(/Waiting for Redis/);
    await redis.start();
    await untilAnswers(service, `http://127.0.0.1:${port}${livePath}`);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  it('stops at once on SIGTERM while it waits', async () => {
    await redis.kill();
    const service = start(name, { [portVariable]: '0', QUERN_REDIS_WAIT_MS: '3600000' });
    await service.line(/Waiting for Redis/);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  it('names the variable to change when its port is in use', async () => {
    const taken = await freePort();
    const owner = createServer();
    await new Promise<void>((resolve) => owner.listen(taken, '127.0.0.1', resolve));
    try {
      const service = start(name, { [portVariable]: String(taken) });
      expect(await service.exited).toEqual({ code: 1, signal: null });
      expect(service.tail()).toContain(`Port ${taken} on 127.0.0.1 is in use`);
      expect(service.tail()).toContain(portVariable);
      expect(service.tail()).not.toMatch(/\bat .*\.js:\d+/);
    } finally {
      owner.close();
    }
  });
});

describe.each([
  { name: 'api' as const, guard: 'QUERN_API_KEYS' },
  { name: 'dashboard' as const, guard: 'QUERN_DASHBOARD_PASSWORD' },
])('the $name', ({ name, guard }) => {
  it('refuses to listen for other machines while nobody guards it', async () => {
    const service = start(name, { QUERN_HOST: '0.0.0.0' });
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect(service.tail()).toMatch(/QUERN_HOST is 0\.0\.0\.0/);
    expect(service.tail()).toContain(guard);
  });
});
