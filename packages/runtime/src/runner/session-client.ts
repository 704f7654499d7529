import { Worker } from 'node:worker_threads';
import { QuernError } from '@quern/contract';
import { type RawTensor, transferList } from '../session/ort-tensors.ts';
import type {
  FromSession,
  PlainError,
  SessionStart,
  SessionTask,
  ToSession,
} from '../session/session-messages.ts';
import type { LoadedModel } from './runner-model.ts';

/** What a run gave. */
export interface SessionRan {
  readonly outputs: readonly RawTensor[];
  readonly inferenceMs: number;
}

interface Waiter {
  resolve(ran: SessionRan): void;
  reject(error: Error): void;
}

/** The main thread's side of the session thread. */
export class SessionClient {
  /** Rejects with the QuernError that says why the model cannot be served. */
  readonly loaded: Promise<LoadedModel>;
  readonly #thread: Worker;
  readonly #exited: Promise<void>;
  readonly #waiters = new Map<number, Waiter>();

  /** @param onDeath called if the thread itself fails, after which nothing here settles any more */
  constructor(start: SessionStart, onDeath: (reason: string) => void) {
    this.#thread = startThread(start);
    this.#exited = new Promise((resolve) => this.#thread.once('exit', () => resolve()));
    this.#thread.once('error', (error) => onDeath(`the session thread failed: ${error.stack}`));
    this.loaded = new Promise((resolve, reject) => {
      this.#thread.on('message', (message: FromSession) => {
        if (message.kind === 'loaded') resolve(message.loaded);
        else if (message.kind === 'load-failed') reject(revive(message.error));
        else this.#settle(message);
      });
    });
  }

  /** Queues a run; the buffers of its inputs are handed over. */
  run(task: SessionTask): Promise<SessionRan> {
    const ran = this.#answerTo(task.sequence);
    this.#post({ kind: 'run', task }, transferList(task.inputs));
    return ran;
  }

  /** Queues a run of the warm-up's input; it gives no outputs. */
  control(sequence: number, rows: number): Promise<SessionRan> {
    const ran = this.#answerTo(sequence);
    this.#post({ kind: 'control', sequence, rows });
    return ran;
  }

  #answerTo(sequence: number): Promise<SessionRan> {
    return new Promise((resolve, reject) => {
      this.#waiters.set(sequence, { resolve, reject });
    });
  }

  /** Releases the session after the runs that are queued, and waits for the thread to end. */
  async release(): Promise<void> {
    this.#post({ kind: 'release' });
    await this.#exited;
  }

  #post(message: ToSession, transfer: ArrayBuffer[] = []): void {
    this.#thread.postMessage(message, transfer);
  }

  #settle(message: Extract<FromSession, { sequence: number }>): void {
    const waiter = this.#waiters.get(message.sequence);
    this.#waiters.delete(message.sequence);
    if (message.kind === 'ran') waiter?.resolve(message);
    else waiter?.reject(revive(message.error));
  }
}

function revive({ code, message, retryable }: PlainError): QuernError {
  return new QuernError(code, message, { retryable });
}

/**
 * Built files are JavaScript. From source the thread must learn TypeScript like its process did, and
 * tsx does not carry over to threads by itself.
 */
function startThread(start: SessionStart): Worker {
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('../session/session-thread.js', import.meta.url), {
      workerData: start,
    });
  }
  const entry = new URL('../session/session-thread.ts', import.meta.url).href;
  const teacher = import.meta.resolve('tsx/esm/api');
  const code = `import(${JSON.stringify(teacher)}).then((tsx) => { tsx.register(); return import(${JSON.stringify(entry)}); })`;
  return new Worker(code, { eval: true, workerData: start });
}
