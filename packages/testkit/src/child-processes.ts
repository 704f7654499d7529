import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The processes that a process has started and that are still there. */
export async function childPids(parentPid: number): Promise<number[]> {
  const processes = process.platform === 'linux' ? await readProc() : await askPs();
  return processes.filter(({ ppid }) => ppid === parentPid).map(({ pid }) => pid);
}

interface ProcessEntry {
  readonly pid: number;
  readonly ppid: number;
}

/** Slim systems have no `ps`. */
async function readProc(): Promise<ProcessEntry[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  // A process may end while it is looked at.
  const stats = await Promise.all(
    names.map((name) => readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')),
  );
  return stats.flatMap((stat) => {
    // The command in parentheses may hold anything; the state and the parent follow it.
    const [, pid, ppid] = /^(\d+) .*\) \S (\d+) /s.exec(stat) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), ppid: Number(ppid) }];
  });
}

async function askPs(): Promise<ProcessEntry[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=']);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([pid = 0, ppid = 0]) => ({ pid, ppid }));
}
