import { type ChildProcess, fork } from 'node:child_process';
import { Readable } from 'node:stream';
import { OutputTail } from './output-tail.ts';
import { MARKS_FD, type MarkKind, MarkReader } from './run-marks.ts';
import type { FromRunner, ToRunner } from './runner-messages.ts';

/** Where a runner's code is and how its process is started. */
export interface RunnerEntryPoint {
  /** The module that calls `serveRunner`. */
  readonly entry: URL | string;
  /** Node's own arguments; those of this process by default. */
  readonly execArgv?: readonly string[] | undefined;
  /** The environment; that of this process by default. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** A line for the log: what the runner's process printed, or what befell it. */
export interface RunnerLog {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
}

/** How a runner's process ended. */
export interface RunnerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines on its standard error. */
  readonly lastOutput: readonly string[];
}

export interface RunnerProcessEvents {
  message(message: FromRunner): void;
  mark(kind: MarkKind, sequence: number): void;
  log(entry: RunnerLog): void;
}

/** A forked process and its pipes: messages, run marks, and what it prints. */
export class RunnerProcess {
  /** Resolves when the process is dead and everything it sent has been delivered. */
  readonly exited: Promise<RunnerExit>;
  readonly #child: ChildProcess;
  #isDead = false;

  constructor(entryPoint: RunnerEntryPoint, events: RunnerProcessEvents) {
    this.#child = fork(entryPoint.entry, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
      ...(entryPoint.execArgv === undefined ? {} : { execArgv: [...entryPoint.execArgv] }),
      ...(entryPoint.env === undefined ? {} : { env: entryPoint.env }),
    });
    // Only serveRunner is at the other end.
    this.#child.on('message', (message) => events.message(message as FromRunner));
    this.#readMarks(events);
    const output = new OutputTail((message) => events.log({ level: 'debug', message }));
    const errors = new OutputTail((message) => events.log({ level: 'warn', message }));
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => output.push(text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => errors.push(text));
    this.exited = this.#watch(errors);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToRunner): void {
    // A message to a process that is about to be found dead is lost like all that it was given.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  kill(): void {
    if (!this.#isDead) this.#child.kill('SIGKILL');
  }

  #readMarks(events: RunnerProcessEvents): void {
    const reader = new MarkReader();
    const pipe = this.#child.stdio[MARKS_FD];
    if (!(pipe instanceof Readable)) throw new Error('the runner has no pipe for its marks');
    pipe.on('data', (chunk: Buffer) => {
      for (const { kind, sequence } of reader.read(chunk)) events.mark(kind, sequence);
    });
    pipe.on('error', () => {});
  }

  #watch(errors: OutputTail): Promise<RunnerExit> {
    return new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null, extra: string[] = []) => {
        this.#isDead = true;
        resolve({ code, signal, lastOutput: [...errors.last(), ...extra] });
      };
      this.#child.on('error', (error) => {
        // A process that could not even be started has no `close` event.
        if (this.#child.pid === undefined) end(null, null, [error.message]);
      });
      this.#child.on('close', end);
    });
  }
}

/** The end in words: `exit code 1`, `signal SIGSEGV`. */
export function describeExit({ code, signal, lastOutput }: RunnerExit): string {
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  return lastOutput.length === 0 ? how : `${how}; last output: ${lastOutput.join(' | ')}`;
}

/**
 * Whether the end may be for want of memory: the system kills a process that takes too much, and V8 and
 * libraries that get none abort with a last word.
 */
export function isLikeMemory({ signal, lastOutput }: RunnerExit): boolean {
  return signal === 'SIGKILL' || lastOutput.some((line) => /out of memory|bad_alloc/i.test(line));
}
