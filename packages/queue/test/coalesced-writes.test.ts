import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { coalesceWrites } from '../src/coalesced-writes.ts';

/** A stream that keeps what each system call would have sent. */
function recordingStream(): { stream: Writable; sent: string[] } {
  const sent: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk, _encoding, done) => {
      sent.push(String(chunk));
      done();
    },
    writev: (chunks, done) => {
      sent.push(chunks.map(({ chunk }) => String(chunk)).join(''));
      done();
    },
  });
  coalesceWrites(stream);
  return { stream, sent };
}

test('what one turn of the event loop writes leaves together, in order', async () => {
  const { stream, sent } = recordingStream();
  stream.write('a');
  stream.write('b');
  await Promise.resolve();
  // Still the same turn: a promise that the writer settled.
  stream.write('c');
  await new Promise((resolve) => setImmediate(resolve));
  stream.write('d');
  await new Promise((resolve) => setImmediate(resolve));
  expect(sent.join('|')).toBe('abc|d');
});

test('the end of a stream does not lose what was written just before', async () => {
  const { stream, sent } = recordingStream();
  stream.write('a');
  await new Promise<void>((resolve) => {
    stream.end('b', resolve);
  });
  expect(sent.join('')).toBe('ab');
});
