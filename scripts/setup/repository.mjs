import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder, absolute. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @param {...string} segments a path below the root */
export function inRoot(...segments) {
  return join(ROOT, ...segments);
}

/** The parsed root package.json. */
export function rootManifest() {
  return JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
}

/** The names of the folders under packages/, sorted. */
export function packageFolders() {
  return readdirSync(inRoot('packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
