import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from '@quern/testkit';

const READY_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 10_000;
const LAST_OUTPUT = 4000;

export interface PeerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/**
 * The processes of one system. Servers start further processes, which a signal to the first may leave
 * behind: each command gets a process group, and the group is ended.
 */
export class PeerProcesses {
  readonly #name: string;
  readonly #children: ChildProcess[] = [];
  #output = '';

  constructor(name: string) {
    this.#name = name;
  }

  start({ command, args, env, cwd }: PeerCommand): void {
    const child = spawn(command, args, {
      cwd,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-LAST_OUTPUT);
      });
    }
    this.#children.push(child);
  }

  /**
   * Resolves when a prediction is answered.
   * @throws Error with the last output if that takes too long, or a process ends
   */
  async untilAnswers(url: string, body: string): Promise<void> {
    const hasEnded = await eventually(async () => {
      if (this.#children.some(isOver)) return true;
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(url, { method: 'POST', headers, body });
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      await response.arrayBuffer();
      return undefined;
    }, READY_TIMEOUT_MS);
    if (hasEnded === true) throw new Error(`${this.#name} ended:\n${this.#output}`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map(endGroup));
  }
}

function isOver({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  if (!isOver(child)) {
    const exited = once(child, 'exit');
    signalGroup(child.pid, 'SIGTERM');
    const timeout = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timeout);
  }
  signalGroup(child.pid, 'SIGKILL');
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // All of it has ended.
  }
}
