import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The absolute path of something in the repository. */
export function inRepository(...segments: string[]): string {
  return join(ROOT, ...segments);
}
