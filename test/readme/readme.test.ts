import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EXAMPLE_MODELS, eventually, freePort, TestProcess } from '@quern/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inRepository } from '../repository.ts';
import { distance } from '../system/samples.ts';
import { documentedCommands, withoutVolatile } from './readme-blocks.ts';

/** Every command of the README, run in its order as a newcomer would, and its output compared. */
const commands = documentedCommands(await readFile(inRepository('README.md'), 'utf8'));
const run = promisify(execFile);

let folder: string;
let port: number;
let quern: TestProcess;

/** `npm start` as in the README, but with ports and data of its own. */
function npmStart(args: readonly string[], apiPort: number, data: string): TestProcess {
  return new TestProcess({
    name: 'npm start',
    command: 'npm',
    args: ['start', '--', '--data', join(folder, data), ...args],
    cwd: inRepository(),
    env: {
      QUERN_API_PORT: String(apiPort),
      QUERN_DASHBOARD_PORT: '0',
      QUERN_WORKER_PORT: '0',
      QUERN_WEBHOOKS_PORT: '0',
      QUERN_MODELS: join(folder, 'models'),
      ...redisServer(),
    },
  });
}

/** Where the set-up of the tests found Redis. */
function redisServer(): Record<string, string> {
  const path = process.env['QUERN_REDIS_SERVER'];
  return path === undefined ? {} : { QUERN_REDIS_SERVER: path };
}

/** Stops npm, and waits until nothing that it had started is left. */
async function stopAll(npm: TestProcess, apiPort: number): Promise<void> {
  await npm.stop();
  await eventually(async () => {
    const answer = await fetch(`http://127.0.0.1:${apiPort}/v2/health/live`).catch(() => undefined);
    expect(answer).toBeUndefined();
    expect(npm.lines.at(-1)).toBe('Stopped.');
  }, 60_000);
}

async function shell(command: string): Promise<string> {
  const { stdout } = await run('bash', ['-c', command.replaceAll(':8080', `:${port}`)], {
    cwd: folder,
    env: { ...process.env, QUERN_URL: `http://127.0.0.1:${port}` },
  });
  return stdout;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quern-readme-'));
  await cp(EXAMPLE_MODELS, join(folder, 'models'), { recursive: true });
  await symlink(inRepository('node_modules'), join(folder, 'node_modules'));
  port = await freePort();
  quern = npmStart([], port, 'data');
});

afterAll(async () => {
  if (quern !== undefined) await stopAll(quern, port);
  await rm(folder, { recursive: true, force: true });
});

const RUN: Readonly<Record<string, (output: unknown) => Promise<void>>> = {
  'npm start': async () => {
    await quern.line(/answer/);
    await quern.line(/Ctrl-C/);
    expect(quern.lines.join('\n')).toMatch(/answer +\d \(\d+(\.\d+)? %\)/);
  },
  // This test is one of those that it runs.
  'npm test': async () => {
    const { scripts } = JSON.parse(await readFile(inRepository('package.json'), 'utf8'));
    await expect(readFile(inRepository(scripts.test.replace('node ', '')))).resolves.toBeDefined();
  },
  'npm start -- --workers 3': async () => {
    const apiPort = await freePort();
    const three = npmStart(['--workers', '3'], apiPort, 'data-three');
    try {
      await three.line(/Ctrl-C/);
      await eventually(async () => {
        const response = await fetch(`http://127.0.0.1:${apiPort}/v1/models/digits`);
        const model = (await response.json()) as { live_workers: number };
        expect(model.live_workers).toBe(3);
      });
    } finally {
      await stopAll(three, apiPort);
    }
  },
  'npx quern predict digits models/digits/samples/seven.json': async () => {
    const printed = await shell('npx quern predict digits models/digits/samples/seven.json');
    const [row = []] = (JSON.parse(printed) as { probabilities: number[][] }).probabilities;
    expect(row.indexOf(Math.max(...row))).toBe(7);
  },
  'npx quern models': async () => {
    expect(await shell('npx quern models')).toMatch(/credit-risk +1 +ready/);
  },
  'npx quern check models': async () => {
    // The model that the commands before have added.
    expect(await shell('npx quern check models')).toMatch(/mine[\s\S]*image +FP32/);
  },
  // Without a container engine: compose-services.test.ts runs the services of the file as processes.
  'docker compose up --build --wait --scale worker=8': async () => {
    const file = await readFile(inRepository('docker-compose.yml'), 'utf8');
    expect(file).toMatch(/^ {2}worker:$/m);
  },
};

it.each(commands.map(({ command, output }) => [command, output] as const))(
  '%s',
  async (command, output) => {
    const special = RUN[command];
    if (special !== undefined) return special(output);
    const printed = await shell(command);
    if (output === undefined) {
      // mkdir and cp say nothing; what they made is checked by the command after them.
      if (command.includes('quern')) expect(printed).toContain('digits');
      return;
    }
    const actual = withoutVolatile(JSON.parse(printed));
    expect(distance(actual, withoutVolatile(output)), printed).toBeLessThan(1e-5);
  },
);

it('shows at least one create and one get', () => {
  expect(commands.filter(({ output }) => output !== undefined)).toHaveLength(2);
});
