import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveComposeFile } from './containers/compose-file.ts';
import { inRepository } from './repository.ts';

const services = Object.entries(
  resolveComposeFile({
    QUERN_API_KEYS: 'key-of-a-client',
    QUERN_DASHBOARD_USER: 'ops',
    QUERN_DASHBOARD_PASSWORD: 'a password',
    QUERN_DASHBOARD_SECRET: '0123456789abcdef0123456789abcdef',
  }).services,
).flatMap(([name, { command, environment }]) =>
  ['api', 'worker', 'dashboard'].includes(name) ? [{ name, command, environment }] : [],
);

// What the images copy is laid out here as it is there, from the packages already installed.
describe.each(services)('the files of the image $name', ({ name, command, environment }) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'quern-bundle-'));
    const script = inRepository('scripts/container/bundle.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, name, folder], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`bundle.mjs ended with ${status}:\n${stdout}${stderr}`);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('have nothing that only development needs', () => {
    const installed = readdirSync(join(folder, 'node_modules', '.pnpm')).join('\n');
    const { devDependencies } = JSON.parse(readFileSync(inRepository('package.json'), 'utf8'));
    expect(Object.keys(devDependencies)).toContain('vitest');
    for (const tool of [
      'vitest',
      'tsx',
      'dclint',
      'playwright-core',
      '@biomejs+biome',
      'typescript',
    ]) {
      expect(installed).not.toMatch(new RegExp(`^${tool}@`, 'm'));
    }
  });

  test('have ONNX Runtime only where models run, and for one platform', () => {
    const installed = readdirSync(join(folder, 'node_modules', '.pnpm'));
    const library = installed.find((entry) => entry.startsWith('onnxruntime-node@'));
    if (name !== 'worker') {
      expect(library).toBeUndefined();
      return;
    }
    const binaries = join(folder, 'packages/runtime/node_modules/onnxruntime-node/bin/napi-v6');
    expect(readdirSync(binaries)).toEqual([process.platform]);
    expect(readdirSync(join(binaries, process.platform))).toEqual([process.arch]);
  });

  test('are enough for the service to start, as far as to refuse a setting', () => {
    const [program = '', ...args] = command ?? [];
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...environment, QUERN_REDIS_URL: 'nonsense' },
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(stdout + stderr).toContain('QUERN_REDIS_URL');
    expect(status).toBe(1);
  });
});
