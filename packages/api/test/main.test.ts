import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort, TestRedis } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const TIMEOUT_MS = 30_000;

let redis: TestRedis;
const children: ChildProcess[] = [];
beforeAll(async () => {
  redis = await TestRedis.start();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => redis.stop());

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves when the output holds the text, rejects when the process ends before. */
  readonly says: (text: string) => Promise<void>;
  readonly exitCode: Promise<number | null>;
}

function start(env: Readonly<Record<string, string>>): Started {
  const args = ['--conditions=@quern/source', '--import', 'tsx', MAIN];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], QUERN_REDIS_URL: redis.url, QUERN_API_PORT: '0', ...env },
  });
  children.push(child);
  let text = '';
  const collect = (chunk: Buffer): void => {
    text += chunk.toString();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const exitCode = once(child, 'close').then(([code]) => code as number | null);
  const says = (wanted: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (text.includes(wanted)) resolve();
      };
      child.stdout.on('data', look);
      look();
      void exitCode.then(() => reject(new Error(`It ended without "${wanted}": ${text}`)));
    });
  return { child, output: () => text, says, exitCode };
}

describe('the process', { timeout: TIMEOUT_MS }, () => {
  test('says where it listens, serves, and ends cleanly on SIGTERM', async () => {
    const { child, output, says, exitCode } = start({});
    await says('API at http://127.0.0.1:');
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(output()) ?? [];
    expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
    expect(output()).toContain('Redis has no append-only file');
    child.kill('SIGTERM');
    expect(await exitCode).toBe(0);
  });

  test('waits for Redis and says so, then gives up', async () => {
    const port = await freePort();
    const { output, exitCode } = start({
      QUERN_REDIS_URL: `redis://:secret@127.0.0.1:${port}`,
      QUERN_REDIS_WAIT_MS: '300',
    });
    expect(await exitCode).toBe(1);
    expect(output()).toContain(`Waiting for Redis at redis://***@127.0.0.1:${port}`);
    expect(output()).toContain('did not answer within 300 ms');
    expect(output()).not.toContain('secret');
  });

  test.each([
    [{ QUERN_HOST: '0.0.0.0' }, 'QUERN_API_KEYS is not set'],
    [{ QUERN_API_PORT: 'http', QUERN_BODY_LIMIT_BYTES: '1' }, 'QUERN_API_PORT: got "http"'],
    [{ QUERN_API_PORT: 'http', QUERN_BODY_LIMIT_BYTES: '1' }, 'QUERN_BODY_LIMIT_BYTES: got "1"'],
    [{ QUERN_PUBLIC_URL: 'quern' }, 'QUERN_PUBLIC_URL: got "quern"'],
    [{ QUERN_LOG_LEVEL: 'loud' }, 'QUERN_LOG_LEVEL: got "loud"'],
  ] satisfies [Record<string, string>, string][])(
    'refuses to start with %o',
    async (env, message) => {
      const { output, exitCode } = start(env);
      expect(await exitCode).toBe(1);
      expect(output().replaceAll('\\"', '"')).toContain(message);
    },
  );

  test('names the variable of a port that is in use', async () => {
    const first = start({});
    await first.says('API at');
    const [, port] = /http:\/\/127\.0\.0\.1:(\d+)/.exec(first.output()) ?? [];
    const second = start({ QUERN_API_PORT: port ?? '' });
    expect(await second.exitCode).toBe(1);
    expect(second.output()).toContain('Set QUERN_API_PORT to another port');
  });
});
