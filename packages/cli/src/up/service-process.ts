import { type ChildProcess, fork } from 'node:child_process';

export interface ServiceSpec {
  /** As people read it: `API`, `worker`. */
  readonly name: string;
  /** The module that is its main. */
  readonly entry: URL;
  readonly env: NodeJS.ProcessEnv;
  /** How long it may take to stop before it is killed. */
  readonly stopTimeoutMs: number;
}

/**
 * One run of a service as a child process. It leads a process group of its own: a terminal's Ctrl-C
 * does not reach it, and killing the group takes its own children along. It stops by itself when this
 * process is gone, since the channel to it closes then.
 */
export class ServiceProcess {
  readonly spec: ServiceSpec;
  /** Resolves to how it ended: `exit code 1`, `SIGKILL`. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  #isRunning = true;

  constructor(spec: ServiceSpec) {
    this.spec = spec;
    const child = fork(spec.entry, [], {
      env: spec.env,
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#isRunning = false;
        resolve(how);
      };
      child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
      child.on('error', (error) => {
        // A process that could not even be started has no `exit` event.
        if (child.pid === undefined) end(error.message);
      });
    });
  }

  get pid(): number | undefined {
    return this.#isRunning ? this.#child.pid : undefined;
  }

  /** Asks it to stop, kills it when its time is over, and resolves when it has ended. */
  async stop(): Promise<void> {
    if (this.#isRunning) this.#child.kill('SIGTERM');
    const deadline = setTimeout(() => this.kill(), this.spec.stopTimeoutMs);
    await this.ended;
    clearTimeout(deadline);
  }

  /** Ends it and its children at once. */
  kill(): void {
    const { pid } = this;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // No process groups on Windows.
      this.#child.kill('SIGKILL');
    }
  }
}
