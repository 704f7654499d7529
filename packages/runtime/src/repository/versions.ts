import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelConfig } from './model-config.ts';
import type { RepositoryProblem } from './repository-problem.ts';

/** One version folder of a model. */
export interface ModelVersion {
  readonly version: number;
  readonly modelPath: string;
}

const VERSION_FOLDER = /^[1-9]\d{0,14}$/;

/**
 * The versions that a model's policy chooses, oldest first, and what is wrong with its folders:
 * none at all, one that the policy names and is not there, or one without `model.onnx`.
 */
export async function findVersions(
  model: string,
  dir: string,
  policy: ModelConfig['versions'],
): Promise<{ versions: ModelVersion[]; problems: RepositoryProblem[] }> {
  const entries = await readdir(dir, { withFileTypes: true });
  const found = entries
    .filter((entry) => !entry.isFile() && VERSION_FOLDER.test(entry.name))
    .map((entry) => Number(entry.name))
    .sort((a, b) => a - b);
  if (found.length === 0) {
    const file = join(dir, '1', 'model.onnx');
    return {
      versions: [],
      problems: [{ model, file, message: 'missing: the model has no version' }],
    };
  }
  const versions: ModelVersion[] = [];
  const problems: RepositoryProblem[] = [];
  for (const version of chooseVersions(found, policy)) {
    const modelPath = join(dir, String(version), 'model.onnx');
    if (await isThere(modelPath)) versions.push({ version, modelPath });
    else problems.push({ model, file: modelPath, message: missingFile(version, found, policy) });
  }
  return { versions, problems };
}

function chooseVersions(found: readonly number[], policy: ModelConfig['versions']): number[] {
  if (policy === 'all') return [...found];
  if ('latest' in policy) return found.slice(-policy.latest);
  return [...new Set(policy.specific)].sort((a, b) => a - b);
}

function missingFile(
  version: number,
  found: readonly number[],
  policy: ModelConfig['versions'],
): string {
  if (found.includes(version)) return `missing: version ${version} has no model file`;
  return `missing: versions ${JSON.stringify(policy)} asks for ${version}, the folder has ${found.join(', ')}`;
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
