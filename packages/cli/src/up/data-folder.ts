import {
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { QuernError } from '@quern/contract';
import { z } from 'zod';
import { isRunning, markProcess, type ProcessMark } from './process-mark.ts';

const LOCK_FILE = 'up.lock';
/** Held for the moment in which a stale lock is replaced. */
const CLAIM_FILE = 'up.lock.claim';

const markSchema = z.object({ pid: z.number().int().positive(), startedAt: z.string() });
const lockSchema = z.object({ owner: markSchema, children: z.array(markSchema) });
type Lock = z.infer<typeof lockSchema>;

/**
 * The data folder, held by one `quern up` at a time: two Redis servers on one folder would both write
 * the same file. A lock whose owner is gone is taken over, and tells which children that owner had.
 */
export class DataFolder {
  /** Absolute, without links. */
  readonly path: string;
  /** Children of an earlier owner that was killed, and that still run. */
  readonly leftBehind: readonly ProcessMark[];
  readonly #owner: ProcessMark;
  #isHeld = true;

  private constructor(path: string, owner: ProcessMark, leftBehind: readonly ProcessMark[]) {
    this.path = path;
    this.#owner = owner;
    this.leftBehind = leftBehind;
  }

  /**
   * Makes the folder if need be and takes its lock for this process.
   * @throws QuernError `CONFIG_INVALID` if a living process holds it, or it cannot be written
   */
  static acquire(dir: string): DataFolder {
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      const path = realpathSync(dir);
      const owner = markProcess(process.pid) ?? { pid: process.pid, startedAt: 'unknown' };
      const previous = takeLock(path, { owner, children: [] });
      return new DataFolder(path, owner, (previous?.children ?? []).filter(isRunning));
    } catch (error) {
      if (error instanceof QuernError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new QuernError(
        'CONFIG_INVALID',
        `The data folder ${dir} cannot be used: ${reason}. Choose another one with --data DIR.`,
      );
    }
  }

  /** Writes down the children, for whoever takes over if this process is killed. */
  noteChildren(pids: readonly number[]): void {
    if (!this.#isHeld) return;
    const children = pids.flatMap((pid) => markProcess(pid) ?? []);
    const draft = writeDraft(this.path, { owner: this.#owner, children });
    renameSync(draft, join(this.path, LOCK_FILE));
  }

  /** Gives the lock back; a second call does nothing. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    rmSync(join(this.path, LOCK_FILE), { force: true });
  }
}

/** Takes the lock; returns the dead owner's, if it had one. */
function takeLock(path: string, lock: Lock): Lock | undefined {
  const file = join(path, LOCK_FILE);
  const draft = writeDraft(path, lock);
  try {
    if (linkIfFree(draft, file)) return undefined;
    const text = readFileSync(file, 'utf8');
    const found = parseLock(text);
    if (found !== undefined && isRunning(found.owner)) throw heldBy(found.owner.pid, path);
    replaceStale({ path, draft, staleText: text });
    return found;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Written beside it and put in place whole, so that nobody ever reads half a lock. */
function writeDraft(path: string, lock: Lock): string {
  const draft = join(path, `${LOCK_FILE}.${process.pid}`);
  writeFileSync(draft, JSON.stringify(lock));
  return draft;
}

/** A link cannot replace what is there, a rename could. */
function linkIfFree(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

interface StaleLock {
  readonly path: string;
  /** What is to take its place. */
  readonly draft: string;
  readonly staleText: string;
}

/**
 * Puts a lock in the place of a stale one. Only who holds the claim may do so, and only if nobody did
 * since the stale lock was read: of many that find it, one takes it over.
 */
function replaceStale({ path, draft, staleText }: StaleLock): void {
  const file = join(path, LOCK_FILE);
  const claim = join(path, CLAIM_FILE);
  if (!linkIfFree(draft, claim)) throw beingTakenOver(claim, path);
  try {
    const text = readFileSync(file, 'utf8');
    if (text !== staleText) throw heldBy(parseLock(text)?.owner.pid, path);
    renameSync(draft, file);
  } finally {
    rmSync(claim, { force: true });
  }
}

function parseLock(text: string): Lock | undefined {
  try {
    return lockSchema.parse(JSON.parse(text));
  } catch {
    // Not ours, or cut off by a full disk: nobody holds it.
    return undefined;
  }
}

function heldBy(pid: number | undefined, path: string): QuernError {
  return new QuernError(
    'CONFIG_INVALID',
    `Another quern up (pid ${pid ?? 'unknown'}) uses the data folder ${path}. ` +
      'Stop it, or give this one another folder with --data DIR.',
  );
}

function beingTakenOver(claim: string, path: string): QuernError {
  return new QuernError(
    'CONFIG_INVALID',
    `Another quern up is taking over the data folder ${path}. If none is running, remove ${claim}.`,
  );
}
