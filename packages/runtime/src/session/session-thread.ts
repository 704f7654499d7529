import { parentPort, workerData } from 'node:worker_threads';
import { toQuernError } from '@quern/contract';
import { writeMark } from '../runner/run-marks.ts';
import { type LoadedSession, loadSession, type RunMarks } from './load-session.ts';
import { runError } from './ort-message.ts';
import { type RawTensor, transferList } from './ort-tensors.ts';
import type {
  FromSession,
  PlainError,
  SessionStart,
  SessionTask,
  ToSession,
} from './session-messages.ts';

/**
 * The thread that holds the ONNX Runtime session: a run blocks it, and nothing else lives here. It
 * loads the model, says so, then takes one task after the other; the next one waits in its message
 * queue, so that it begins the moment the one before has ended.
 */
const port = parentPort;
if (port === null) throw new Error('session-thread is started as a worker thread by serveRunner');

// Started only by serveRunner, with exactly this.
const { model, marksFd } = workerData as SessionStart;

const marks: RunMarks = {
  started: (sequence) => writeMark(marksFd, 'started', sequence),
  ended: (sequence) => writeMark(marksFd, 'ended', sequence),
};

function send(message: FromSession, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

function plain(error: unknown): PlainError {
  const { code, message, retryable } = toQuernError(error, 'MODEL_UNAVAILABLE');
  return { code, message, retryable };
}

async function answer(sequence: number, run: () => Promise<RawTensor[]>): Promise<void> {
  const startedAtMs = performance.now();
  try {
    const outputs = await run();
    const inferenceMs = performance.now() - startedAtMs;
    send({ kind: 'ran', sequence, outputs, inferenceMs }, transferList(outputs));
  } catch (error) {
    send({ kind: 'run-failed', sequence, error: plain(runError(error)) });
  }
}

function runTask(session: LoadedSession, { sequence, inputs, outputs }: SessionTask) {
  return answer(sequence, () => session.run(inputs, outputs, sequence));
}

function runControl(session: LoadedSession, sequence: number, rows: number) {
  return answer(sequence, async () => {
    await session.control(sequence, rows);
    return [];
  });
}

try {
  const session = await loadSession(model, marks);
  let last = Promise.resolve();
  port.on('message', (message: ToSession) => {
    last = last.then(async () => {
      if (message.kind === 'run') return runTask(session, message.task);
      if (message.kind === 'control') return runControl(session, message.sequence, message.rows);
      await session.release();
      port.close();
    });
  });
  send({ kind: 'loaded', loaded: session.loaded });
} catch (error) {
  send({ kind: 'load-failed', error: plain(error) });
}
