import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessMark {
  readonly pid: number;
  /** When it started, in the system's own words. */
  readonly startedAt: string;
}

/** The mark of a running process; undefined if there is none (a zombie counts as gone). */
export function markProcess(pid: number): ProcessMark | undefined {
  const startedAt = process.platform === 'linux' ? startFromProc(pid) : startFromPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** Whether that very process still runs. */
export function isRunning(mark: ProcessMark): boolean {
  return markProcess(mark.pid)?.startedAt === mark.startedAt;
}

/** Fields of /proc/PID/stat after the command's name, which is in brackets and may hold anything. */
const STATE_FIELD = 0;
const START_TIME_FIELD = 19;

function startFromProc(pid: number): string | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return isGone(fields[STATE_FIELD]) ? undefined : fields[START_TIME_FIELD];
}

function startFromPs(pid: number): string | undefined {
  const columns = ['-o', 'stat=', '-o', 'lstart='];
  const { stdout } = spawnSync('ps', [...columns, '-p', String(pid)], { encoding: 'utf8' });
  const [state, ...start] = (stdout ?? '').trim().split(/\s+/);
  return start.length === 0 || isGone(state) ? undefined : start.join(' ');
}

function isGone(state: string | undefined): boolean {
  return state === undefined || state.startsWith('Z') || state.startsWith('X');
}
