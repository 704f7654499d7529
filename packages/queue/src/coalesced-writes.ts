import type { Writable } from 'node:stream';

/**
 * Sends everything that is written to a stream in one turn of the event loop with one system call. The
 * jobs of a batch end together and requests arrive together, so commands for Redis come in bursts; a
 * write for each costs both sides more than the command itself. Nothing waits longer for it: what was
 * written leaves when the code that wrote it, and the promises that it settled, have run.
 */
export function coalesceWrites(stream: Writable): void {
  const write = stream.write.bind(stream);
  let isCorked = false;
  const uncork = (): void => {
    isCorked = false;
    stream.uncork();
  };
  const coalescedWrite = (...args: Parameters<typeof write>): boolean => {
    if (!isCorked) {
      isCorked = true;
      stream.cork();
      process.nextTick(uncork);
    }
    return write(...args);
  };
  Object.assign(stream, { write: coalescedWrite });
}
