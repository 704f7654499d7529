import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MODEL_NAME_PATTERN, QuernError } from '@quern/contract';
import type { ConfigPositions } from './config-positions.ts';
import type { ModelConfig } from './model-config.ts';
import { parseModelConfig } from './parse-model-config.ts';
import type { RepositoryProblem } from './repository-problem.ts';
import { findVersions, type ModelVersion } from './versions.ts';

/** A model folder that can be served. */
export interface RepositoryModel {
  readonly name: string;
  readonly dir: string;
  readonly config: ModelConfig;
  /** Where `model.yaml` says what it says about tensors. */
  readonly configPositions?: ConfigPositions;
  /** The versions that its policy chooses, oldest first. */
  readonly versions: readonly ModelVersion[];
  /** The lines of `labels.txt`. */
  readonly labels?: readonly string[];
}

/** What a models folder holds. A model may have problems and still be served in other versions. */
export interface RepositoryScan {
  readonly models: readonly RepositoryModel[];
  readonly problems: readonly RepositoryProblem[];
}

const HIDDEN = /^[._]/;

/**
 * Reads a models folder: `<model>/model.yaml`, `<model>/<version>/model.onnx`, `<model>/labels.txt`.
 * No ONNX file is opened. One broken model hides no other.
 * @throws QuernError `CONFIG_INVALID` if the folder itself cannot be read
 */
export async function loadRepository(dir: string): Promise<RepositoryScan> {
  const folders = await foldersOf(dir);
  const scans = await Promise.all(
    folders
      .filter((name) => !HIDDEN.test(name))
      .map((name) =>
        scanModel(name, join(dir, name)).catch((error) => unreadable(name, dir, error)),
      ),
  );
  return {
    models: scans.flatMap((scan) => scan.models),
    problems: scans.flatMap((scan) => scan.problems),
  };
}

/**
 * Reads the folder of one model again.
 * @returns undefined if there is none; at most one model
 * @throws QuernError `CONFIG_INVALID` as `loadRepository`
 */
export async function loadRepositoryModel(
  dir: string,
  name: string,
): Promise<RepositoryScan | undefined> {
  if (HIDDEN.test(name) || !(await foldersOf(dir)).includes(name)) return undefined;
  return scanModel(name, join(dir, name)).catch((error) => unreadable(name, dir, error));
}

async function scanModel(name: string, dir: string): Promise<RepositoryScan> {
  if (!MODEL_NAME_PATTERN.test(name)) {
    const message = `not a model name, expected ${MODEL_NAME_PATTERN.source}; rename the folder`;
    return { models: [], problems: [{ model: name, file: dir, message }] };
  }
  const configFile = join(dir, 'model.yaml');
  const [configText, labelsText] = await Promise.all([
    readIfThere(configFile),
    readIfThere(join(dir, 'labels.txt')),
  ]);
  const parsed = parseModelConfig(configText ?? '', name, configFile);
  if ('problems' in parsed) return { models: [], problems: parsed.problems };
  const { versions, problems } = await findVersions(name, dir, parsed.config.versions);
  if (versions.length === 0) return { models: [], problems };
  const model: RepositoryModel = {
    name,
    dir,
    config: parsed.config,
    configPositions: parsed.positions,
    versions,
    ...(labelsText === undefined ? {} : { labels: splitLabels(labelsText) }),
  };
  return { models: [model], problems };
}

function splitLabels(text: string): string[] {
  return text.replace(/\r?\n$/, '').split(/\r?\n/);
}

function foldersOf(dir: string): Promise<string[]> {
  return listFolders(dir).catch((error: unknown) => {
    throw new QuernError(
      'CONFIG_INVALID',
      `the models folder ${dir} cannot be read (${reasonOf(error)}); expected a folder with one folder per model`,
      { cause: error },
    );
  });
}

async function listFolders(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  // A link to a folder is as good as the folder: models are often mounted that way.
  return entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map((entry) => entry.name)
    .sort();
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (reasonOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function unreadable(name: string, dir: string, error: unknown): RepositoryScan {
  const message = `cannot be read (${reasonOf(error)})`;
  return { models: [], problems: [{ model: name, file: join(dir, name), message }] };
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return String(error);
}
