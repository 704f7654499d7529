import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { eventually } from './eventually.ts';

export interface TestProcessOptions {
  /** Shown in failures. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Inherits nothing but the PATH, as a process in a container. */
  readonly isolated?: boolean;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const LAST_LINES = 40;

/** A real process under test: its output is kept, it can be signalled, and it is dead after `stop()`. */
export class TestProcess {
  readonly name: string;
  readonly exited: Promise<ProcessExit>;
  /** Lines of standard output and standard error, in the order in which they came. */
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  #exit: ProcessExit | undefined;

  constructor(options: TestProcessOptions) {
    this.name = options.name;
    this.#child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: { ...(options.isolated === true ? pathAlone() : inheritedEnv()), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface(stream).on('line', (line) => this.lines.push(line));
    }
    this.exited = once(this.#child, 'exit').then(([code, signal]) => {
      this.#exit = { code, signal };
      return this.#exit;
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.#child.pid;
  }

  /** Undefined while it runs. */
  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  /** Resolves with the first line that matches, also one that was printed before. */
  line(pattern: RegExp, timeoutMs = 60_000): Promise<string> {
    return eventually(() => {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      const problem = this.#exit === undefined ? 'has not printed' : 'ended before it printed';
      throw new Error(`${this.name} ${problem} ${pattern}; its last lines:\n${this.tail()}`);
    }, timeoutMs);
  }

  tail(): string {
    return this.lines.slice(-LAST_LINES).join('\n');
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks it to stop, and resolves when it has. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<ProcessExit> {
    if (this.#exit === undefined) {
      // A stopped process does not hear SIGTERM.
      this.kill('SIGCONT');
      this.kill(signal);
    }
    return this.exited;
  }
}

/** What every process needs; settings of the person who runs the tests stay out. */
function inheritedEnv(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('QUERN_'));
  return { ...Object.fromEntries(entries), NODE_OPTIONS: '' };
}

function pathAlone(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] };
}
