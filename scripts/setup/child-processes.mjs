import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from './repository.mjs';
import { SetupProblem } from './setup-problem.mjs';

/*
 * Children run in process groups of their own, for two reasons. npx and pnpm start grandchildren
 * that only a signal to the whole group reaches. And on Ctrl-C both the terminal and npm send
 * SIGINT to whatever shares their group, so a server would take one key press for two.
 */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const GRACE_MS = 5_000;
/** npm repeats a signal that the terminal has sent already; within this time they count as one. */
const ECHO_MS = 250;
const KEPT_OUTPUT_CHARS = 20_000;

/** The exit code by which a shell reports a death by this signal. */
export function exitCodeOfSignal(signal) {
  return 128 + (constants.signals[signal] ?? 0);
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * Ends the children that the set-up has started when a signal arrives, then the process.
 * @returns {() => void} takes the handlers off again
 */
export function endChildrenOnSignals() {
  const onSignal = async (signal) => {
    const children = [...running];
    for (const child of children) signalGroup(child, 'SIGTERM');
    await Promise.race([
      Promise.all(children.map(exited)),
      delay(GRACE_MS, undefined, { ref: false }),
    ]);
    for (const child of children) signalGroup(child, 'SIGKILL');
    process.exit(exitCodeOfSignal(signal));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}

/**
 * Runs a command to its end without a standard input.
 * @param {string} command
 * @param {string[]} args
 * @param {object} [options]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {(line: string) => void} [options.onLine] called with each line it prints
 * @param {boolean} [options.verbose] passes its output on as it comes
 * @returns {Promise<{ code: number, output: string }>} `output` is the end of what it printed
 */
export function runCommand(command, args, { env = process.env, onLine, verbose = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let output = '';
    const onText = (text) => {
      output = (output + text).slice(-KEPT_OUTPUT_CHARS);
      if (verbose) process.stdout.write(text);
      const lastLine = text.trimEnd().split('\n').at(-1)?.trim();
      if (lastLine) onLine?.(lastLine);
    };
    child.stdout.setEncoding('utf8').on('data', onText);
    child.stderr.setEncoding('utf8').on('data', onText);
    child.on('error', (error) => {
      running.delete(child);
      reject(new SetupProblem(`Cannot run ${command}: ${error.message}`));
    });
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve({ code: code ?? exitCodeOfSignal(signal), output });
    });
  });
}

/** How soon the end of the parent is noticed. */
const ORPHAN_CHECK_MS = 250;

/**
 * Calls back once when the parent of this process is gone: npm and the shell that it starts us with do
 * not pass every signal on, and must not leave a server behind when they die of one.
 * @param {() => void} onOrphaned
 * @returns {() => void} stops watching
 */
function watchParent(onOrphaned) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onOrphaned();
  }, ORPHAN_CHECK_MS);
  return () => clearInterval(timer);
}

/**
 * Runs a command that owns the terminal from now on, and passes signals on to it: the first as it
 * came, for a graceful end; another one as well, for the child to decide. SIGKILL is left to people.
 * If the parent of this process dies, the command is asked to end, too.
 * @param {string[]} args arguments for Node
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} its exit code, 128 + n when a signal ended it
 */
export function runInForeground(args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env,
      detached: true,
      stdio: 'inherit',
    });
    let lastSignalAt = Number.NEGATIVE_INFINITY;
    const forward = (signal) => {
      const now = performance.now();
      if (now - lastSignalAt > ECHO_MS) child.kill(signal);
      lastSignalAt = now;
    };
    for (const signal of SIGNALS) process.on(signal, forward);
    const stopWatching = watchParent(() => forward('SIGTERM'));
    const settle = (finish) => {
      stopWatching();
      for (const signal of SIGNALS) process.off(signal, forward);
      finish();
    };
    child.on('error', (error) => settle(() => reject(error)));
    child.on('exit', (code, signal) => {
      // What the child has left behind in its group has no owner any more.
      signalGroup(child, 'SIGTERM');
      settle(() => resolve(code ?? exitCodeOfSignal(signal)));
    });
  });
}

function signalGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // ESRCH: all gone. EPERM: what sudo runs, which has its own way to end.
    if (error.code !== 'ESRCH' && error.code !== 'EPERM') throw error;
  }
}

function exited(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', resolve));
}
