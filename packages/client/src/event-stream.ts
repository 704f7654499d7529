/** One event of a server-sent stream. */
export interface ServerEvent {
  /** The last id that the stream gave, up to and with this event; empty if none yet. */
  readonly id: string;
  readonly data: string;
}

/** More than any prediction's object with a large output. */
const MAX_BUFFERED = 256 * 1024 * 1024;

/**
 * The events of a stream, cut from its bytes however these arrive. Comments, fields without a use here and
 * an event that the stream's end cuts off are passed over. Source: HTML standard, section 9.2.6
 * @throws Error if a line is too long to be one
 */
export async function* serverEvents(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerEvent, void> {
  let id = '';
  let data: string[] = [];
  for await (const line of linesOf(chunks)) {
    if (line === '') {
      if (data.length > 0) yield { id, data: data.join('\n') };
      data = [];
      continue;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const rest = colon === -1 ? '' : line.slice(colon + 1);
    const value = rest.startsWith(' ') ? rest.slice(1) : rest;
    if (field === 'data') data.push(value);
    if (field === 'id' && !value.includes('\0')) id = value;
  }
}

/** Lines end with CR, LF or both. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  // It also takes away a byte order mark.
  const decoder = new TextDecoder();
  let buffered = '';
  for await (const chunk of chunks) {
    buffered += decoder.decode(chunk, { stream: true });
    if (buffered.length > MAX_BUFFERED) throw new Error('a line of the event stream does not end');
    // A CR at the very end may be the first half of a CRLF.
    const whole = buffered.endsWith('\r') ? buffered.slice(0, -1) : buffered;
    const lines = whole.split(/\r\n|\n|\r/);
    const rest = lines.pop() ?? '';
    buffered = buffered.endsWith('\r') ? `${rest}\r` : rest;
    yield* lines;
  }
}
