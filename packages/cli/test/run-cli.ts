import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** Node's arguments that run our TypeScript as it is. */
export const FROM_SOURCE = [
  '--conditions=@quern/source',
  '--import',
  import.meta.resolve('tsx'),
] as const;

export interface CliRun {
  readonly child: ChildProcess;
  readonly finished: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** Runs `quern` as a process of its own. */
export function runCli(args: readonly string[], env: NodeJS.ProcessEnv = {}): CliRun {
  const child = spawn(process.execPath, [...FROM_SOURCE, MAIN, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end();
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const finished = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, stdout, stderr })),
  );
  return { child, finished };
}
