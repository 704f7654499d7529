/** A line of a file, without its line break. */
export interface SourceLine {
  /** From 1; blank lines count, but are not given out. */
  readonly number: number;
  /** undefined if the line is longer than it may be. */
  readonly text: string | undefined;
  /** Where the next line begins, in bytes. */
  readonly endByte: number;
}

const LINE_FEED = 0x0a;

/**
 * The lines of a stream of bytes that are not blank. Line breaks are `\n` or `\r\n`, and the last line
 * needs none. No more than one line is held, and of a line that is too long nothing.
 * @param maxLineBytes longest line, its break included
 */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  maxLineBytes: number,
): AsyncGenerator<SourceLine, void> {
  let held: Buffer[] = [];
  let lineBytes = 0;
  let number = 0;
  let endByte = 0;
  const hold = (part: Buffer): void => {
    lineBytes += part.byteLength;
    endByte += part.byteLength;
    if (lineBytes > maxLineBytes) held = [];
    else held.push(part);
  };
  const finish = (): SourceLine | undefined => {
    const isTooLong = lineBytes > maxLineBytes;
    const text = isTooLong ? undefined : Buffer.concat(held).toString('utf8');
    held = [];
    lineBytes = 0;
    number += 1;
    // Editors on Windows begin a file with a byte order mark.
    const line = number === 1 ? text?.replace(/^\uFEFF/, '') : text;
    return line?.trim() === '' ? undefined : { number, text: line?.trimEnd(), endByte };
  };
  for await (const chunk of chunks) {
    let rest = chunk;
    for (let end = rest.indexOf(LINE_FEED); end !== -1; end = rest.indexOf(LINE_FEED)) {
      hold(rest.subarray(0, end + 1));
      rest = rest.subarray(end + 1);
      const line = finish();
      if (line !== undefined) yield line;
    }
    if (rest.byteLength > 0) hold(rest);
  }
  if (lineBytes === 0) return;
  const last = finish();
  if (last !== undefined) yield last;
}
