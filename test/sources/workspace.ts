import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { inRepository } from '../repository.ts';
import { parseArchitecture } from './architecture.ts';
import type { Manifest, Workspace } from './import-rules.ts';

const SKIPPED = new Set(['node_modules', 'dist', 'coverage', '.git', '.quern']);

/** The names of the folders under packages/. */
export function packageFolders(): string[] {
  return readdirSync(inRepository('packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

export function readWorkspace(): Workspace {
  const architecture = parseArchitecture(
    readFileSync(inRepository('docs/architecture.md'), 'utf8'),
  );
  const manifests = packageFolders().map((folder): [string, Manifest] => [
    folder,
    JSON.parse(readFileSync(inRepository('packages', folder, 'package.json'), 'utf8')),
  ]);
  return { architecture, manifests: new Map(manifests) };
}

/**
 * The files below a folder of the repository that are ours, as paths from the root with slashes.
 * @param extensions such as ['.ts']
 */
export function filesBelow(folder: string, extensions: readonly string[]): string[] {
  const found: string[] = [];
  const visit = (directory: string) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) visit(path);
      } else if (extensions.some((extension) => entry.name.endsWith(extension))) {
        found.push(relative(inRepository(), path).split(sep).join('/'));
      }
    }
  };
  visit(inRepository(folder));
  return found.sort();
}
