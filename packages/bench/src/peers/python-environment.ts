import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCES = fileURLToPath(new URL('../../peers', import.meta.url));
const ENVIRONMENTS = resolve('.quern', 'peers');
const INSTALL_TIMEOUT_MS = 30 * 60_000;

/** A Python environment with one system's pinned packages, under an ignored folder. */
export class PythonEnvironment {
  /** Of the system's files. */
  readonly folder: string;
  readonly #directory: string;

  constructor(name: string) {
    this.folder = join(SOURCES, name);
    this.#directory = join(ENVIRONMENTS, name);
  }

  get isInstalled(): boolean {
    return existsSync(join(this.#directory, 'bin', 'python'));
  }

  /** The path of a program of the environment. */
  program(name: string): string {
    return join(this.#directory, 'bin', name);
  }

  /** What its modules find: those all systems share as well. */
  get modulePath(): string {
    return [this.folder, SOURCES].join(':');
  }

  /**
   * Builds it; there is either all of it or none.
   * @throws Error with pip's last lines
   */
  async install(): Promise<void> {
    const requirements = join(this.folder, 'requirements.txt');
    await rm(this.#directory, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', this.#directory]);
    try {
      const args = ['install', '--quiet', '--disable-pip-version-check', '-r', requirements];
      await run(this.program('pip'), args, { timeout: INSTALL_TIMEOUT_MS });
    } catch (error) {
      await rm(this.#directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** The first pinned requirement, which is the system itself: `name==1.2.3`. */
  async version(): Promise<string> {
    const [first = ''] = (await readFile(join(this.folder, 'requirements.txt'), 'utf8')).split(
      '\n',
    );
    return first.replace('==', ' ');
  }
}
