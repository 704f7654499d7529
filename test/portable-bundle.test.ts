import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, TestProcess } from '@quern/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findProgram } from '../scripts/setup/system-packages.mjs';
import { inRepository } from './repository.ts';

/** All that the launchers ask of the machine. */
const TOOLS = ['sh', 'dirname', 'readlink'];

let folder: string;
let bundle: string;
let tools: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quern-portable-'));
  bundle = join(folder, 'quern');
  tools = join(folder, 'tools');
  mkdirSync(tools);
  for (const name of TOOLS) symlinkSync(findProgram([name]) ?? name, join(tools, name));
  const script = inRepository('scripts/bundle.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--folder', bundle], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`bundle.mjs ended with ${status}:\n${stdout}${stderr}`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('has no link that leads nowhere', () => {
  const find = (...what: string[]) => spawnSync('find', [bundle, ...what], { encoding: 'utf8' });
  expect(find('-type', 'l').stdout).not.toBe('');
  expect(find('-xtype', 'l').stdout).toBe('');
});

test('starts and predicts on a machine without Node, Redis and a registry', async () => {
  const data = join(folder, 'data');
  const quern = new TestProcess({
    name: 'quern up',
    command: join(bundle, 'quern'),
    args: ['up', '--data', data],
    cwd: folder,
    isolated: true,
    env: {
      PATH: tools,
      QUERN_API_PORT: String(await freePort()),
      QUERN_DASHBOARD_PORT: '0',
      QUERN_WORKER_PORT: '0',
      QUERN_WEBHOOKS_PORT: '0',
    },
  });
  try {
    await quern.line(/Ctrl-C/);
    expect(quern.lines.join('\n')).toMatch(/answer +7 \(/);
  } finally {
    await quern.stop();
  }
});
