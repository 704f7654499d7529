import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings, sharedSettings } from '@quern/service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ComposeService,
  composeText,
  readComposeFile,
  resolveComposeFile,
} from './containers/compose-file.ts';
import { commandOf, inheritedInstructions, readStages } from './containers/dockerfile.ts';
import { inRepository } from './repository.ts';

const SECRETS = {
  QUERN_API_KEYS: 'key-of-a-client',
  QUERN_DASHBOARD_USER: 'ops',
  QUERN_DASHBOARD_PASSWORD: 'a password',
  QUERN_DASHBOARD_SECRET: '0123456789abcdef0123456789abcdef',
};
const file = readComposeFile();
const resolved = resolveComposeFile(SECRETS);
const stages = readStages();
const ours = Object.entries(resolved.services).filter(([, service]) => service.build !== undefined);

describe('the linter', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'quern-compose-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function lint(path: string) {
    const result = spawnSync(
      process.execPath,
      [
        inRepository('node_modules/dclint/bin/dclint.cjs'),
        ...['--config', inRepository('.dclintrc'), '--max-warnings', '0', path],
      ],
      { encoding: 'utf8' },
    );
    return { code: result.status, report: result.stdout + result.stderr };
  }

  test('finds nothing in docker-compose.yml', () => {
    expect(lint(inRepository('docker-compose.yml'))).toEqual({
      code: 0,
      report: expect.anything(),
    });
  });

  test('would find a misspelt key', () => {
    const path = join(folder, 'docker-compose.yml');
    writeFileSync(path, composeText().replace('stop_grace_period', 'stop_grace_perod'));
    expect(lint(path)).toEqual({
      code: 1,
      report: expect.stringContaining('must NOT have additional properties'),
    });
  });

  test('would find a port that is open to the network', () => {
    const path = join(folder, 'docker-compose.yml');
    writeFileSync(path, composeText().replace('- 127.0.0.1:', '- '));
    expect(lint(path)).toEqual({
      code: 1,
      report: expect.stringContaining('no-unbound-port-interfaces'),
    });
  });
});

describe('Redis', () => {
  const redis = resolved.services['redis'];

  test('evicts nothing and writes down what it accepts', () => {
    expect(optionsOf(redis?.command)).toMatchObject({
      '--appendonly': 'yes',
      '--appendfsync': 'everysec',
      '--maxmemory-policy': 'noeviction',
      '--maxmemory': '2gb',
    });
  });

  test('keeps its data in a named volume and is pinned to a version', () => {
    expect(redis?.volumes).toContain('redis-data:/data');
    expect(resolved.volumes).toHaveProperty('redis-data');
    expect(redis?.image).toMatch(/^redis:\d+\.\d+\.\d+/);
  });

  test('is not reachable from outside of the backend network', () => {
    expect(redis?.ports).toBeUndefined();
    expect(redis?.networks).toEqual(['backend']);
    expect(resolved.networks['backend']?.internal).toBe(true);
  });
});

describe('secrets', () => {
  test.each(Object.keys(SECRETS))('%s must come from the environment', (name) => {
    const { [name as keyof typeof SECRETS]: _missing, ...others } = SECRETS;
    expect(() => resolveComposeFile(others)).toThrow(name);
  });

  test('are explained, and left empty, in .env.example', () => {
    const example = readFileSync(inRepository('.env.example'), 'utf8');
    for (const name of Object.keys(SECRETS)) expect(example).toMatch(new RegExp(`^${name}=$`, 'm'));
  });

  test('reach only the service that needs them', () => {
    const holders = ours.flatMap(([name, service]) =>
      Object.keys(service.environment ?? {})
        .filter((variable) => variable in SECRETS)
        .map((variable) => `${name}: ${variable}`),
    );
    expect(holders).toEqual([
      'api: QUERN_API_KEYS',
      'dashboard: QUERN_DASHBOARD_USER',
      'dashboard: QUERN_DASHBOARD_PASSWORD',
      'dashboard: QUERN_DASHBOARD_SECRET',
    ]);
  });
});

test('every variable of the file is in .env.example', () => {
  const example = readFileSync(inRepository('.env.example'), 'utf8');
  const names = [...composeText().matchAll(/\$\{(\w+)/g)].map((match) => match[1] ?? '');
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) expect(example).toMatch(new RegExp(`^#?${name}=`, 'm'));
});

test('workers can be scaled: no published port, no fixed name, replicas from the environment', () => {
  const worker = resolved.services['worker'];
  expect(worker?.ports).toBeUndefined();
  expect(worker).not.toHaveProperty('container_name');
  expect(worker?.deploy?.replicas).toBe('1');
  const scaled = resolveComposeFile({ ...SECRETS, WORKER_REPLICAS: '8' });
  expect(scaled.services['worker']?.deploy?.replicas).toBe('8');
});

test('the GPU worker starts only in its profile and reserves the devices', () => {
  expect(resolved.services['worker-gpu']?.profiles).toEqual(['gpu']);
  expect(resolved.services['worker-gpu']?.deploy?.resources).toEqual({
    reservations: { devices: [{ driver: 'nvidia', count: 'all', capabilities: ['gpu'] }] },
  });
});

describe.each(ours)('the service %s', (_name, service) => {
  const stage = stages.get(service.build?.target ?? '');

  test('is built by a stage of the Dockerfile that runs the same command', () => {
    if (stage === undefined)
      throw new Error(`The Dockerfile has no stage ${service.build?.target}`);
    expect(service.command).toEqual(commandOf(stage));
  });

  test('runs a file that its package builds', () => {
    const [program, path = ''] = service.command ?? [];
    expect(program).toBe('node');
    expect(path).toMatch(/^packages\/[a-z]+\/dist\/main\.js$/);
    const source = path.replace('/dist/', '/src/').replace(/\.js$/, '.ts');
    expect(existsSync(inRepository(source)), `${source} exists`).toBe(true);
  });

  test('has longer to stop than it takes at most to finish its work', () => {
    const { shutdownGraceMs } = readSettings(sharedSettings, service.environment ?? {});
    expect(milliseconds(service.stop_grace_period)).toBeGreaterThan(shutdownGraceMs + 10_000);
  });

  test('has settings that its process takes', () => {
    expect(() => readSettings(sharedSettings, service.environment ?? {})).not.toThrow();
    expect(service.environment?.['QUERN_REDIS_URL']).toBe('redis://redis:6379');
  });

  test('is published on this machine alone, if at all', () => {
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  test('reads the models without being able to write them', () => {
    for (const volume of service.volumes ?? []) {
      expect(volume).toMatchObject({ target: '/models', read_only: true });
    }
  });

  test('runs with no more rights than it needs', () => {
    expect(service).toMatchObject({
      init: true,
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    } satisfies ComposeService);
    expect(inheritedInstructions(stages, stage?.name ?? '')).toContain('USER node');
  });

  test('waits for Redis and is asked for its health on the port that it listens on', () => {
    expect(service.depends_on?.['redis']).toEqual({ condition: 'service_healthy' });
    const instructions = inheritedInstructions(stages, stage?.name ?? '');
    const exposed = instructions
      .find((line) => line.startsWith('EXPOSE '))
      ?.slice('EXPOSE '.length);
    const health = instructions.find((line) => line.startsWith('HEALTHCHECK ')) ?? '';
    expect(health).toContain(`||${exposed}}`);
    for (const part of service.healthcheck?.test.filter((text) => text.includes('http')) ?? []) {
      expect(part).toContain(`:${exposed}/`);
    }
  });
});

test('the services are the ones that the documentation speaks of', () => {
  const services = ['redis', 'api', 'worker', 'worker-gpu', 'webhooks', 'dashboard'];
  expect(Object.keys(file.services)).toEqual(services);
});

function optionsOf(command: readonly string[] = []): Record<string, string> {
  const options: Record<string, string> = {};
  for (let index = 1; index < command.length; index += 2) {
    options[command[index] ?? ''] = command[index + 1] ?? '';
  }
  return options;
}

function milliseconds(duration = ''): number {
  const seconds = /^(\d+)s$/.exec(duration)?.[1];
  if (seconds === undefined) throw new Error(`Got the duration "${duration}", expected e.g. 40s`);
  return Number(seconds) * 1000;
}
