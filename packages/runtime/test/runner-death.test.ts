import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  ENDLESS,
  entry,
  fixtureModel,
  launch,
  looping,
  pair,
  runStarted,
  SOURCE_ARGS,
} from './harness/runners.ts';

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** Whether a process runs; a zombie that nobody has collected yet does not. */
function isAlive(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  return existsSync(stat) && !/^\d+ \(.*\) Z/.test(readFileSync(stat, 'utf8'));
}

describe('a run that hangs', () => {
  test('is ended by its timeout; the batch behind it can go elsewhere', async () => {
    const { runner } = launch(fixtureModel('loop', { runTimeoutMs: 1000 }));
    await runner.ready;
    const hung = runner.run({ batchId: 'hung', entries: [looping('a', ENDLESS)] });
    const behind = runner.run({ batchId: 'behind', entries: [looping('b', 1n)] });
    const outcomes = await Promise.allSettled([hung, behind]);
    expect(outcomes).toMatchObject([
      {
        status: 'rejected',
        reason: {
          code: 'RUN_TIMEOUT',
          started: true,
          message: expect.stringContaining('batch hung of loop:1 ran longer than 1000 ms'),
        },
      },
      { status: 'rejected', reason: { code: 'RUN_TIMEOUT', started: false } },
    ]);
    expect(await runner.exited).toMatchObject({ signal: 'SIGKILL' });
    expect(runner.freePlaces).toBe(0);
  });
});

describe('a process that dies', () => {
  test('in mid-run fails that run and hands back the batch behind it', async () => {
    const { runner } = launch(fixtureModel('loop'));
    await runner.ready;
    const { result } = await runStarted(runner, { batchId: 'a', entries: [looping('a', ENDLESS)] });
    const behind = runner.run({ batchId: 'b', entries: [looping('b', 1n)] });
    process.kill(runner.pid ?? Number.NaN, 'SIGKILL');
    expect(await Promise.allSettled([result, behind])).toMatchObject([
      {
        reason: {
          code: 'RUNNER_CRASHED',
          started: true,
          retryable: true,
          // So does the system with a process that takes too much memory.
          maybeMemory: true,
          message: expect.stringContaining('loop:1 ended (signal SIGKILL'),
        },
      },
      { reason: { code: 'RUNNER_CRASHED', started: false } },
    ]);
  });

  test('before it has begun a batch is blamed on the oldest, lest it kill runner after runner', async () => {
    const { runner } = launch(fixtureModel('add'));
    await runner.ready;
    process.kill(runner.pid ?? Number.NaN, 'SIGSTOP');
    const runs = ['a', 'b'].map((id) =>
      runner.run({ batchId: id, entries: [entry(id, 1, pair(1, 2))] }),
    );
    process.kill(runner.pid ?? Number.NaN, 'SIGKILL');
    expect(await Promise.allSettled(runs)).toMatchObject([
      { reason: { code: 'RUNNER_CRASHED', started: true } },
      { reason: { code: 'RUNNER_CRASHED', started: false } },
    ]);
  });

  test('while it loads says what it printed last', async () => {
    const { runner } = launch(fixtureModel('add'), { entry: fixture('falling-runner.ts') });
    await expect(runner.ready).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringMatching(
        /^the process ended \(exit code 3; last output: no disk, no payloads\)/,
      ),
    });
  });

  test('for want of a program is told like one that died', async () => {
    const { runner } = launch(fixtureModel('add'), { entry: fixture('not-there.ts') });
    await expect(runner.ready).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringContaining('not-there.ts'),
    });
  });
});

describe('loading', () => {
  test('that takes too long is ended', async () => {
    const { runner } = launch(fixtureModel('add'), { loadTimeoutMs: 1 });
    await expect(runner.ready).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: 'loading took longer than 1 ms and was ended',
    });
    await runner.exited;
  });

  test('of a model whose warm-up hangs is ended by the run timeout', async () => {
    const { runner } = launch(fixtureModel('steady-loop', { runTimeoutMs: 1 }));
    await expect(runner.ready).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringMatching(/^a warm-up run ran longer than 1 ms \(runTimeoutMs/),
    });
  });

  test('can be given up by closing', async () => {
    const { runner } = launch(fixtureModel('add'));
    await runner.close();
    await expect(runner.ready).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });
});

test('a runner does not outlive its parent, not even in the middle of a run', async () => {
  const parent = fork(fixture('doomed-parent.ts'), [JSON.stringify(fixtureModel('loop'))], {
    execArgv: SOURCE_ARGS,
    silent: true,
  });
  onTestFinished(() => {
    parent.kill('SIGKILL');
  });
  if (parent.stdout === null) throw new Error('no output to read');
  const [line] = await once(parent.stdout.setEncoding('utf8'), 'data');
  const pid = Number(/^runner (\d+)/.exec(String(line))?.[1]);
  expect(isAlive(pid)).toBe(true);
  onTestFinished(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  parent.kill('SIGKILL');
  await vi.waitUntil(() => !isAlive(pid), { timeout: 20_000 });
});
