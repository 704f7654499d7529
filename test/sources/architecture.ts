import { codeWords, tableUnder } from './markdown-table.ts';

/** Whether something may be imported as it is, or for its types alone. */
export type Extent = 'all' | 'types';

/** Who may import a heavy library. */
interface HeavyLibrary {
  /** A package's name, or a scope with a star: `@bull-board/*`. */
  readonly pattern: string;
  readonly importers: ReadonlyMap<string, Extent>;
}

/** A part of the process that only few files may touch. */
export type ProcessPower = 'environment' | 'signals' | 'exit';

/** What docs/architecture.md allows. */
export interface Architecture {
  /** Package -> ours that it may import. */
  readonly packages: ReadonlyMap<string, ReadonlyMap<string, Extent>>;
  readonly heavyLibraries: readonly HeavyLibrary[];
  /** Files by pattern, with what they may touch. */
  readonly processFiles: readonly { pattern: string; powers: ReadonlySet<string> }[];
  /** Functions that run a whole process, so that only the files above may import them. */
  readonly processFunctions: ReadonlySet<string>;
}

/** @throws Error when a table is missing */
export function parseArchitecture(markdown: string): Architecture {
  const packages = tableUnder('Packages', markdown).map((row): [string, Map<string, Extent>] => [
    soleWord(row['package']),
    extents(row['may import']),
  ]);
  const heavyLibraries = tableUnder('Heavy dependencies', markdown).map((row) => ({
    pattern: soleWord(row['library']),
    importers: extents(row['imported by']),
  }));
  const processTable = tableUnder('Where a process begins and ends', markdown);
  const processFiles = processTable.map((row) => ({
    pattern: soleWord(row['file']),
    powers: new Set((row['may touch'] ?? '').split(', ')),
  }));
  const processFunctions = new Set(
    processTable.flatMap((row) => codeWords(row['runs a process with'] ?? '').map((c) => c.word)),
  );
  return { packages: new Map(packages), heavyLibraries, processFiles, processFunctions };
}

/** The row for a library, if it is a heavy one. */
export function heavyLibraryOf(
  library: string,
  architecture: Architecture,
): HeavyLibrary | undefined {
  return architecture.heavyLibraries.find(({ pattern }) =>
    pattern.endsWith('/*') ? library.startsWith(pattern.slice(0, -1)) : library === pattern,
  );
}

/** Whether a file, as a path from the repository's root, may touch a part of the process. */
export function mayTouch(path: string, power: ProcessPower, architecture: Architecture): boolean {
  return architecture.processFiles.some(
    ({ pattern, powers }) => powers.has(power) && matches(path, pattern),
  );
}

/** Whether a file is one of those that have to do with a process as a whole. */
export function isProcessFile(path: string, architecture: Architecture): boolean {
  return architecture.processFiles.some(({ pattern }) => matches(path, pattern));
}

/** `**` stands for any path, `*` for one name. */
function matches(path: string, pattern: string): boolean {
  const source = pattern
    .split(/(\*\*\/?|\*)/)
    .map((part) => {
      if (part.startsWith('**')) return '(?:.*)';
      if (part === '*') return '[^/]*';
      return part.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
    })
    .join('');
  return new RegExp(`^${source}$`).test(path);
}

/** Names in backticks, each with `(types)` behind it where that is all. */
function extents(cell = ''): Map<string, Extent> {
  return new Map(
    codeWords(cell).map(({ word, remark }) => [word, remark === 'types' ? 'types' : 'all']),
  );
}

function soleWord(cell = ''): string {
  const [first, ...others] = codeWords(cell);
  if (first === undefined || others.length > 0) {
    throw new Error(`Got the cell "${cell}", expected one word in backticks`);
  }
  return first.word;
}
