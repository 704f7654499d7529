import { posix } from 'node:path';
import { type Architecture, heavyLibraryOf } from './architecture.ts';
import { type ModuleReference, moduleReferences } from './module-references.ts';
import type { SourceFile } from './syntax.ts';

const SCOPE = '@quern/';

/** What of a package.json the rules read. */
export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
}

export interface Workspace {
  readonly architecture: Architecture;
  /** By the name of the folder under packages/. */
  readonly manifests: ReadonlyMap<string, Manifest>;
}

/** Where a model's own module comes in, whose name is in its `model.yaml`. */
const IMPORTS_OF_USERS = 'packages/runtime/src/steps/handler/load-handler-module.ts';

/** What is wrong with the imports of a source below packages/, one line for each. */
export function importViolations(file: SourceFile, workspace: Workspace): string[] {
  const from = file.path.split('/')[1] ?? '';
  return moduleReferences(file).flatMap((reference) => {
    const problem = problemOf(reference, from, file.path, workspace);
    return problem === undefined ? [] : [`${reference.place}: ${problem}`];
  });
}

/** What is wrong with the dependencies that a package declares. */
export function manifestViolations(folder: string, workspace: Workspace): string[] {
  const names = Object.keys(workspace.manifests.get(folder)?.dependencies ?? {});
  return names.flatMap((name) => {
    const problem = name.startsWith(SCOPE)
      ? problemWithOurs(name, folder, false, workspace)
      : problemWithLibrary(name, folder, true, workspace.architecture);
    return problem === undefined ? [] : [`packages/${folder}/package.json: ${problem}`];
  });
}

function problemOf(
  { specifier, isTypeOnly }: ModuleReference,
  from: string,
  path: string,
  workspace: Workspace,
): string | undefined {
  if (specifier === undefined) {
    return path === IMPORTS_OF_USERS
      ? undefined
      : 'imports a computed name, which nobody can check';
  }
  if (specifier.startsWith('node:')) return undefined;
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(path), specifier);
    const home = `packages/${from}/`;
    return target.startsWith(home) ? undefined : `${specifier} leaves the package ${from}`;
  }
  return specifier.startsWith(SCOPE)
    ? problemWithOurs(specifier, from, isTypeOnly, workspace)
    : problemWithLibrary(libraryOf(specifier), from, isTypeOnly, workspace.architecture);
}

function problemWithOurs(
  specifier: string,
  from: string,
  isTypeOnly: boolean,
  { architecture, manifests }: Workspace,
): string | undefined {
  const [name = '', ...rest] = specifier.slice(SCOPE.length).split('/');
  const extent = architecture.packages.get(from)?.get(name);
  if (extent === undefined) return `${from} may not import ${SCOPE}${name}`;
  if (extent === 'types' && !isTypeOnly) {
    return `${from} may import ${SCOPE}${name} for its types alone`;
  }
  const entry = ['.', ...rest].join('/');
  const isPublic = Object.hasOwn(manifests.get(name)?.exports ?? {}, entry);
  return isPublic ? undefined : `${specifier} is no public entry of ${SCOPE}${name}`;
}

function problemWithLibrary(
  library: string,
  from: string,
  isTypeOnly: boolean,
  architecture: Architecture,
): string | undefined {
  const heavy = heavyLibraryOf(library, architecture);
  if (heavy === undefined) return undefined;
  const extent = heavy.importers.get(from);
  if (extent === 'all' || (extent === 'types' && isTypeOnly)) return undefined;
  return extent === 'types'
    ? `${from} may import ${library} for its types alone`
    : `${from} may not import ${library}`;
}

/** `@scope/name` or `name`, without a path into the library. */
function libraryOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
