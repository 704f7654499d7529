import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { eventually, freePort, TestRedis } from '@quern/testkit';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';

describe('a test’s Redis', () => {
  test('keeps what was acknowledged over a kill, if it was asked to', async () => {
    await using server = await TestRedis.start({ appendfsync: 'always' });
    const redis = new Redis(server.url);
    redis.on('error', () => {});
    await redis.set('k', 'v');
    await server.kill();
    await server.start();
    expect(await eventually(() => redis.get('k'))).toBe('v');
    redis.disconnect();
  });

  test('is gone after it stopped, and stopping twice is fine', async () => {
    const server = await TestRedis.start();
    const { pid } = server;
    if (pid === undefined) throw new Error('Redis does not run');
    expect(existsSync(`/proc/${pid}`)).toBe(existsSync('/proc/self'));
    await server.stop();
    await server.stop();
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  });

  test('does not take the server of somebody else for its own', async () => {
    await using server = await TestRedis.start();
    const port = server.port;
    await server.kill();
    const other = createServer((socket) => socket.on('error', () => {}).destroy());
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    await expect(server.start()).rejects.toThrow(/ended with 1|Connection is closed|Another/);
    await new Promise((resolve) => other.close(resolve));
  });
});

describe('eventually', () => {
  test('waits out false and errors, and returns what came', async () => {
    const answers = [() => false as const, () => Promise.reject(new Error('not yet')), () => 7];
    expect(await eventually(() => (answers.length > 1 ? answers.shift() : answers[0])?.())).toBe(7);
  });

  test('throws the last failure when the time is over', async () => {
    await expect(eventually(() => Promise.reject(new Error('still not')), 50)).rejects.toThrow(
      'still not',
    );
    await expect(eventually(() => false, 50)).rejects.toThrow('did not hold within 50 ms');
  });
});

test('a free port can be listened on', async () => {
  const server = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await new Promise((resolve) => server.close(resolve));
});
