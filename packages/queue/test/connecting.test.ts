import { createServer } from 'node:net';
import { eventually, freePort, TestRedis } from '@quern/testkit';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { checkRedis, connectRedis, PredictionQueue, withoutPassword } from '../src/index.ts';

const quiet = { role: 'producer', name: 'test', onError: () => {} } as const;

describe('connecting', () => {
  test('to a port where nobody answers gives up in time, and says where and why', async () => {
    const reasons: string[] = [];
    const url = `redis://user:secret@127.0.0.1:${await freePort()}`;
    const connecting = connectRedis({
      ...quiet,
      url,
      waitMs: 300,
      onWaiting: (reason) => reasons.push(reason),
    });
    const port = new URL(url).port;
    await expect(connecting).rejects.toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      message: `Redis at redis://***@127.0.0.1:${port} did not answer within 300 ms (connect ECONNREFUSED 127.0.0.1:${port}). Start it, or set QUERN_REDIS_URL.`,
    });
    expect(reasons).toEqual([`connect ECONNREFUSED 127.0.0.1:${port}`]);
  });

  test('to something that is not Redis gives up in time', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).resume());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await expect(
      connectRedis({ ...quiet, url: `redis://127.0.0.1:${port}`, waitMs: 300 }),
    ).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    // The connection is closed: else this would never resolve.
    await new Promise((resolve) => server.close(resolve));
  });

  test('to a Redis that reads its files goes on when it has, whatever time it said it needs', async () => {
    const server = await loadingRedis();
    const redis = await connectRedis({ ...quiet, url: server.url, waitMs: 8000 });
    redis.disconnect();
    expect(server.infos()).toBe(2);
    await server.close();
  });

  test('waits for a Redis that comes up late', async () => {
    await using server = await TestRedis.start();
    await server.kill();
    let waiting = (): void => {};
    const isWaiting = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    const opening = PredictionQueue.open({
      redisUrl: server.url,
      name: 'late',
      redisWaitMs: 20_000,
      onWaiting: waiting,
    });
    await isWaiting;
    await server.start();
    const queue = await opening;
    await queue.ping();
    await queue.close();
  });

  test('leaves no connection behind when opening fails half-way', async () => {
    await using server = await TestRedis.start();
    const admin = new Redis(server.url);
    // The registry cannot be read: everything that was opened before has to go.
    await admin.set('quern:{registry}:models', 'not a hash');
    await expect(
      PredictionQueue.open({ redisUrl: server.url, name: 'half', redisWaitMs: 5000 }),
    ).rejects.toThrow(/WRONGTYPE/);
    await eventually(async () => {
      expect(await admin.client('LIST')).not.toContain('name=half');
    });
    admin.disconnect();
  });
});

test.each([
  ['redis://127.0.0.1:6379', 'redis://127.0.0.1:6379'],
  ['redis://user:pass@host:1/2', 'redis://***@host:1/2'],
  ['rediss://:p/a@s@s@host', 'rediss://***@host'],
  ['redis://host?password=secret', 'redis://host'],
  ['unix:///run/redis.sock', 'unix:///run/redis.sock'],
])('%s is shown as %s', (url, shown) => {
  expect(withoutPassword(url)).toBe(shown);
});

describe('checking Redis', () => {
  test('warns of what the guarantees rest on', async () => {
    await using server = await TestRedis.start();
    const redis = await connectRedis({ ...quiet, url: server.url, waitMs: 5000 });
    expect(await checkRedis(redis)).toEqual([expect.stringMatching(/no append-only file/)]);
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await checkRedis(redis)).toEqual([
      expect.stringMatching(/maxmemory-policy allkeys-lru.*noeviction/),
      expect.stringMatching(/no append-only file/),
    ]);
    await redis.config('SET', 'maxmemory-policy', 'noeviction', 'appendonly', 'yes');
    expect(await checkRedis(redis)).toEqual([]);
    redis.disconnect();
  });
});

/**
 * Says at first that it is loading for ten more minutes: a real one guesses so in the second that it
 * starts in, when it has read a few bytes of its file and the clock has just ticked.
 */
async function loadingRedis() {
  let infos = 0;
  const info = (): string => {
    infos += 1;
    const loading = infos === 1 ? 'loading:1\r\nloading_eta_seconds:600' : 'loading:0';
    const text = `redis_version:7.0.0\r\n${loading}\r\n`;
    return `$${text.length}\r\n${text}\r\n`;
  };
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const commands = chunk.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g);
      for (const [, name] of commands) {
        socket.write(name?.toLowerCase() === 'info' ? info() : '+OK\r\n');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `redis://127.0.0.1:${address.port}`,
    infos: () => infos,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
