import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DataFolder } from '../src/up/data-folder.ts';
import { markProcess } from '../src/up/process-mark.ts';
import { FROM_SOURCE } from './run-cli.ts';
import { TemporaryFolder } from './temporary-folder.ts';

const CONTENDER = fileURLToPath(new URL('./lock-contender.ts', import.meta.url));
const GONE = { pid: process.pid, startedAt: 'before a process with the same pid' };

describe('DataFolder', { timeout: 30_000 }, () => {
  it('is held by one at a time, and tells who that is', async () => {
    await using folder = await TemporaryFolder.make();
    const dir = folder.join('made', 'on', 'the', 'way');
    const held = DataFolder.acquire(dir);
    expect(() => DataFolder.acquire(dir)).toThrow(`Another quern up (pid ${process.pid})`);
    held.release();
    DataFolder.acquire(dir).release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('takes over from an owner that is gone, and knows which of its children still run', async () => {
    await using folder = await TemporaryFolder.make();
    const child = spawn('sleep', ['60']);
    const alive = markProcess(child.pid ?? 0);
    writeFileSync(
      folder.join('up.lock'),
      JSON.stringify({ owner: GONE, children: [alive, { ...alive, startedAt: 'earlier' }] }),
    );
    const taken = DataFolder.acquire(folder.path);
    expect(taken.leftBehind).toEqual([alive]);
    child.kill('SIGKILL');
    await once(child, 'exit');
    taken.release();
  });

  it.each(['', '{"owner": 1}', 'not json'])('takes over a lock that says %j', async (text) => {
    await using folder = await TemporaryFolder.make();
    writeFileSync(folder.join('up.lock'), text);
    const taken = DataFolder.acquire(folder.path);
    expect(() => DataFolder.acquire(folder.path)).toThrow('Another quern up');
    taken.release();
  });

  it('writes its children down for the next owner', async () => {
    await using folder = await TemporaryFolder.make();
    const child = spawn('sleep', ['60']);
    const held = DataFolder.acquire(folder.path);
    held.noteChildren([child.pid ?? 0]);
    expect(() => DataFolder.acquire(folder.path)).toThrow('Another quern up');
    held.release();
    held.noteChildren([child.pid ?? 0]);
    expect(existsSync(folder.join('up.lock'))).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  it('goes to exactly one of many that find a stale lock at once', async () => {
    await using folder = await TemporaryFolder.make();
    writeFileSync(folder.join('up.lock'), JSON.stringify({ owner: GONE, children: [] }));
    const contenders = Array.from({ length: 4 }, () =>
      spawn(process.execPath, [...FROM_SOURCE, CONTENDER, folder.path], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    );
    const answers = await Promise.all(
      contenders.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()),
    );
    expect(answers.filter((answer) => answer === 'held')).toHaveLength(1);
    const exits = contenders.map((child) => once(child, 'exit'));
    for (const child of contenders) child.stdin.end();
    await Promise.all(exits);
  });

  it('says so when the folder cannot be made', async () => {
    await using folder = await TemporaryFolder.make();
    writeFileSync(folder.join('file'), '');
    expect(() => DataFolder.acquire(folder.join('file', 'data'))).toThrow('--data DIR');
  });
});
