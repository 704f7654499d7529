import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { eventually, freePort, TestRedis } from '@quern/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from './http-call.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const TIMEOUT_MS = 30_000;

let redis: TestRedis;
beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis.stop());

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
}

function run(env: Readonly<Record<string, string>>): Run {
  const child = spawn(process.execPath, ['--conditions=@quern/source', '--import', 'tsx', MAIN], {
    env: { PATH: process.env['PATH'], QUERN_REDIS_URL: redis.url, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  return { child, output: () => output };
}

test('starts, answers, and stops at once while a browser keeps its connection', {
  timeout: TIMEOUT_MS,
}, async () => {
  const port = await freePort();
  const { child, output } = run({ QUERN_DASHBOARD_PORT: String(port) });
  const exited = once(child, 'exit');
  const url = `http://127.0.0.1:${port}`;
  await eventually(() => output().includes(`Dashboard at ${url}`), TIMEOUT_MS);
  expect(output()).toContain('QUERN_DASHBOARD_USER');
  expect((await call(`${url}/health/ready`)).status).toBe(200);
  const agent = new Agent({ keepAlive: true });
  await new Promise<void>((resolve, reject) => {
    get(`${url}/`, { agent }, (response) => response.on('end', resolve).resume()).on(
      'error',
      reject,
    );
  });
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  agent.destroy();
});

test.each([
  [{ QUERN_HOST: '0.0.0.0' }, 'QUERN_DASHBOARD_PASSWORD'],
  [{ QUERN_DASHBOARD_SECRET: 'short' }, 'QUERN_DASHBOARD_SECRET'],
])('does not start with %j, and says why', { timeout: TIMEOUT_MS }, async (env, message) => {
  const { child, output } = run(env);
  expect(await once(child, 'exit')).toEqual([1, null]);
  expect(output()).toContain(message);
});
