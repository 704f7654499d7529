import { Readable } from 'node:stream';
import { runCommandLine } from '../src/command-line.ts';
import type { ExitCode } from '../src/exit-codes.ts';

export interface CommandRun {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: ExitCode | undefined;
  /** What it threw; the main turns it into a message and an exit code. */
  readonly error: unknown;
}

/** Runs `quern` without a process, for what is printed. */
export async function runInProcess(
  args: readonly string[],
  { stdin = '', env = {} }: { stdin?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<CommandRun> {
  const texts = { out: '', err: '' };
  const screen = (name: 'out' | 'err') => ({
    write: (text: string) => {
      texts[name] += text;
    },
    isTTY: false,
    columns: 80,
  });
  const result = await runCommandLine(['node', 'quern', ...args], {
    env,
    terminal: { out: screen('out'), err: screen('err') },
    stdin: Readable.from([stdin]),
    stop: new AbortController().signal,
    kill: new AbortController().signal,
    onSignals: () => {},
  }).then(
    (code) => ({ code, error: undefined }),
    (error: unknown) => ({ code: undefined, error }),
  );
  return { ...result, stdout: texts.out, stderr: texts.err };
}
