import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { TestProcess } from '@quern/testkit';
import { describe, expect, type TestContext, test } from 'vitest';

const SCRIPT = join(import.meta.dirname, 'processes', 'live-and-die.ts');
const NODE_ARGS = ['--conditions=@quern/source', '--import', 'tsx'];

function start(behaviour: string, { onTestFinished }: TestContext): TestProcess {
  const running = new TestProcess({
    name: behaviour,
    command: process.execPath,
    args: [...NODE_ARGS, SCRIPT, behaviour],
  });
  onTestFinished(async () => {
    await running.stop('SIGKILL');
  });
  return running;
}

const CLEAN = { code: 0, signal: null };
const FAILED = { code: 1, signal: null };

describe.concurrent('a process', { timeout: 30_000 }, () => {
  test.for(['SIGTERM', 'SIGINT'] as const)(
    'closes and exits with 0 on %s',
    async (signal, context) => {
      const running = start('lives', context);
      await running.line(/^started/);
      expect(await running.stop(signal)).toEqual(CLEAN);
      expect(running.lines.filter((line) => line.startsWith('clos'))).toEqual([
        'closing second',
        'closed first',
      ]);
    },
  );

  test('exits with 1 at once on a second signal', async (context) => {
    const running = start('stuck', context);
    await running.line(/^started/);
    running.kill('SIGTERM');
    await running.line(/closing second/);
    expect(await running.stop('SIGTERM')).toEqual(FAILED);
    expect(running.tail()).toContain('exiting at once');
  });

  test('exits with 1 when closing takes too long', async (context) => {
    const running = start('stuck-and-timed', context);
    await running.line(/^started/);
    expect(await running.stop('SIGTERM')).toEqual(FAILED);
    expect(running.tail()).toContain('Stopping took longer than 200 ms');
  });

  test('exits with 1 when a part cannot be closed, and closes the others', async (context) => {
    const running = start('cannot-close', context);
    await running.line(/^started/);
    expect(await running.stop('SIGTERM')).toEqual(FAILED);
    expect(running.tail()).toContain('Closing second failed');
    expect(running.lines).toContain('closed first');
  });

  test('that cannot start exits with 1, with the message and no stack for a bad setting', async (context) => {
    const running = start('bad-setting', context);
    expect(await running.exited).toEqual(FAILED);
    expect(running.tail()).toContain('"code":"CONFIG_INVALID"');
    expect(running.tail()).toContain('"msg":"Port 1 is in use."');
    expect(running.tail()).not.toContain('stack');
    expect(running.lines).toContain('closed first');
  });

  test('that cannot start because of a bug shows the stack', async (context) => {
    const running = start('bug', context);
    expect(await running.exited).toEqual(FAILED);
    expect(running.tail()).toMatch(/"stack":"TypeError: x is not a function\\n +at /);
  });

  test.for(['throws-later', 'rejects-later'])(
    'that %s closes and exits with 1',
    async (how, context) => {
      const running = start(how, context);
      expect(await running.exited).toEqual(FAILED);
      expect(running.tail()).toContain('unforeseen');
      expect(running.lines).toContain('closed first');
    },
  );

  test('that is stopped in mid-start exits with 0', async (context) => {
    const running = start('starts-for-long', context);
    await running.line(/^started/);
    expect(await running.stop('SIGTERM')).toEqual(CLEAN);
    expect(running.lines).toContain('closed first');
  });

  test('closes and exits with 0 when the parent that forked it is gone', async () => {
    const child = fork(SCRIPT, ['lives'], {
      execArgv: NODE_ARGS,
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    let output = '';
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('started')) resolve();
      });
    });
    child.disconnect();
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(output).toContain('closed first');
  });
});
