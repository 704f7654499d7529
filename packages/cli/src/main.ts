import { CommanderError } from 'commander';
import { runCommandLine } from './command-line.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { reportFailure } from './failure-text.ts';
import { screenOf } from './terminal.ts';

/** npm repeats a signal that the terminal has sent already; within this time they count as one. */
const ECHO_MS = 250;

const stop = new AbortController();
const kill = new AbortController();
let lastSignalAtMs = Number.NEGATIVE_INFINITY;

function onSignal(): void {
  const nowMs = performance.now();
  if (nowMs - lastSignalAtMs < ECHO_MS) return;
  lastSignalAtMs = nowMs;
  (stop.signal.aborted ? kill : stop).abort();
}

const terminal = { out: screenOf(process.stdout), err: screenOf(process.stderr) };
// A reader that has seen enough, such as head, or a terminal that was closed.
process.stdout.on('error', () => stop.abort());
process.stderr.on('error', () => {});

try {
  process.exitCode = await runCommandLine(process.argv, {
    env: process.env,
    terminal,
    stdin: process.stdin,
    stop: stop.signal,
    kill: kill.signal,
    // Only commands that have something to end take over from the default.
    onSignals: () => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
      process.on('disconnect', onSignal);
    },
  });
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  if (kill.signal.aborted) return EXIT_CODES.interrupted;
  if (!(error instanceof CommanderError)) return reportFailure(error, terminal.err);
  // Commander has printed its message, or the help that was asked for.
  return error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage;
}
