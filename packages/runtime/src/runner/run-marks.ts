import { writeSync } from 'node:fs';

/**
 * The marks that a runner writes to a pipe of their own: the session thread right before a run begins
 * and right after it has ended, the main thread around the steps of a batch. Nine bytes, the kind and
 * the batch's sequence number. They tell the parent when a run really starts, and which batch a process
 * that died was in, whatever else was lost with it.
 */
const KINDS = ['started', 'ended', 'steps-started', 'steps-ended'] as const;
export type MarkKind = (typeof KINDS)[number];

/** The pipe's file descriptor in the runner: after stdin, stdout, stderr and the message channel. */
export const MARKS_FD = 4;

/** Batches count from 1; this stands for the runs of the warm-up. */
export const WARM_UP_SEQUENCE = 0;

const MARK_BYTES = 9;

export function encodeMark(kind: MarkKind, sequence: number): Uint8Array {
  const mark = Buffer.alloc(MARK_BYTES);
  mark.writeUInt8(KINDS.indexOf(kind), 0);
  mark.writeDoubleLE(sequence, 1);
  return mark;
}

/** Puts marks together again from chunks that end anywhere. */
export class MarkReader {
  #rest: Buffer = Buffer.alloc(0);

  read(chunk: Buffer): { kind: MarkKind; sequence: number }[] {
    const data = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const marks: { kind: MarkKind; sequence: number }[] = [];
    let offset = 0;
    for (; offset + MARK_BYTES <= data.byteLength; offset += MARK_BYTES) {
      const kind = KINDS[data.readUInt8(offset)];
      if (kind !== undefined) marks.push({ kind, sequence: data.readDoubleLE(offset + 1) });
    }
    this.#rest = data.subarray(offset);
    return marks;
  }
}

/** Writes a mark synchronously: it is out even if what follows kills the process. */
export function writeMark(fd: number, kind: MarkKind, sequence: number): void {
  try {
    writeSync(fd, encodeMark(kind, sequence));
  } catch {
    // The parent is gone; the main thread ends the process.
  }
}
