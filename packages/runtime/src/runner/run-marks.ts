/**
 * The marks that the session thread writes to a pipe of their own, right before a run begins and right
 * after it has ended: nine bytes, the kind and the run's sequence number. They tell the parent when a
 * run really starts, and which run a process that died was in, whatever else was lost with it.
 */
export type MarkKind = 'started' | 'ended';

/** The pipe's file descriptor in the runner: after stdin, stdout, stderr and the message channel. */
export const MARKS_FD = 4;

/** Batches count from 1; this stands for the runs of the warm-up. */
export const WARM_UP_SEQUENCE = 0;

const MARK_BYTES = 9;
const STARTED = 1;
const ENDED = 2;

export function encodeMark(kind: MarkKind, sequence: number): Uint8Array {
  const mark = Buffer.alloc(MARK_BYTES);
  mark.writeUInt8(kind === 'started' ? STARTED : ENDED, 0);
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
      const kind = data.readUInt8(offset) === STARTED ? 'started' : 'ended';
      marks.push({ kind, sequence: data.readDoubleLE(offset + 1) });
    }
    this.#rest = data.subarray(offset);
    return marks;
  }
}
