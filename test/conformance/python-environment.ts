import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../.quern/conformance/venv', import.meta.url));
const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url));
const INSTALLED = join(FOLDER, 'requirements.txt');

/**
 * Makes the Python environment with the pinned clients, unless it is there already.
 * @returns the folder of its programs
 * @throws Error if `python3` is missing or a package cannot be installed
 */
export async function pythonEnvironment(): Promise<string> {
  const programs = join(FOLDER, 'bin');
  const wanted = await readFile(REQUIREMENTS, 'utf8');
  if (existsSync(INSTALLED) && (await readFile(INSTALLED, 'utf8')) === wanted) return programs;
  await rm(FOLDER, { recursive: true, force: true });
  await mustRun('python3', ['-m', 'venv', FOLDER]);
  await mustRun(join(programs, 'pip'), ['install', '--quiet', '-r', REQUIREMENTS]);
  // Last: what was cut off is made anew.
  await copyFile(REQUIREMENTS, INSTALLED);
  return programs;
}

/** Runs a program in the terminal and resolves to its exit code. */
export async function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

async function mustRun(command: string, args: readonly string[]): Promise<void> {
  const code = await run(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
}
