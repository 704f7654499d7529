import { randomBytes, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { eventually } from '@quern/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BlobStore } from '../src/index.ts';

const HOUR = { ttlMs: 3_600_000 };
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** An iteration that gives these pieces, as a request's body does. */
async function* pieces(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

export interface StorageTraits {
  /** The storage of the test itself replaces blobs in one step. Default true. */
  readonly isAtomic?: boolean;
}

/**
 * What every blob store does. Call it in a `describe`.
 * @param store the one to test; asked for in each test
 */
export function testBlobStore(
  store: () => BlobStore,
  { isAtomic = true }: StorageTraits = {},
): void {
  const newKey = () => `quern:{digits}.test:${randomUUID()}`;

  test('reads what was written, in a buffer that starts with it', async () => {
    const key = newKey();
    const content = randomBytes(100_000);
    await store().write(key, content, HOUR);
    const read = await store().read(key);
    expect(Buffer.from(read ?? []).equals(content)).toBe(true);
    expect((read?.byteOffset ?? 1) % 8).toBe(0);
  });

  test('keeps blobs under different keys apart, whatever the keys look like', async () => {
    const keys = ['a/b', 'a%2Fb', '../a', 'A', 'a', '{a}:b c', 'ä', '', '😀'].map(
      (end) => newKey() + end,
    );
    await Promise.all(keys.map((key) => store().write(key, bytesOf(key), HOUR)));
    const read = await Promise.all(keys.map((key) => store().read(key)));
    expect(read.map((bytes) => new TextDecoder().decode(bytes ?? undefined))).toEqual(keys);
  });

  test('has nothing under a key that was never written', async () => {
    expect(await store().read(newKey())).toBeNull();
    expect(await store().stream(newKey())).toBeNull();
  });

  test('stores an empty blob, which is not the same as none', async () => {
    const key = newKey();
    await store().write(key, new Uint8Array(), HOUR);
    expect(await store().read(key)).toHaveLength(0);
    const streamed = await store().stream(key);
    expect(streamed === null ? null : await buffer(streamed)).toHaveLength(0);
  });

  test('replaces a blob that is written again', async () => {
    const key = newKey();
    await store().write(key, bytesOf('first, and longer'), HOUR);
    await store().write(key, pieces(bytesOf('sec'), bytesOf('ond')), HOUR);
    expect(await store().read(key)).toEqual(bytesOf('second'));
  });

  test('reads any range of what came in any pieces', async () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
    const bound = fc.nat(3000);
    const range = fc.record({ start: bound, end: bound }, { requiredKeys: ['start'] });
    await fc.assert(
      fc.asyncProperty(parts, range, async (written, wanted) => {
        const key = newKey();
        await store().write(key, pieces(...written), HOUR);
        const expected = Buffer.concat(written).subarray(wanted.start, wanted.end);
        expect(Buffer.from((await store().read(key, wanted)) ?? [-1]).equals(expected)).toBe(true);
        const streamed = await store().stream(key, wanted);
        expect((await buffer(streamed ?? pieces())).equals(expected)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  test('stores and streams what is larger than one piece of any storage', async () => {
    const key = newKey();
    const piece = randomBytes(1_000_003);
    await store().write(key, pieces(...Array(12).fill(piece)), HOUR);
    const expected = Buffer.concat(Array(12).fill(piece));
    const streamed = await store().stream(key);
    expect((await buffer(streamed ?? pieces())).equals(expected)).toBe(true);
    const inside = await store().read(key, { start: 900_000, end: 9_500_000 });
    expect(expected.subarray(900_000, 9_500_000).equals(inside ?? new Uint8Array())).toBe(true);
  });

  test('stores nothing if the source of a blob breaks, and throws what broke it', async () => {
    const key = newKey();
    const broken = (async function* () {
      yield bytesOf('begun');
      throw new RangeError('the upload was cut off');
    })();
    await expect(store().write(key, broken, HOUR)).rejects.toThrow(
      new RangeError('the upload was cut off'),
    );
    expect(await store().read(key)).toBeNull();
  });

  test('keeps the old blob if the source of a new one breaks', async () => {
    const key = newKey();
    await store().write(key, bytesOf('old'), HOUR);
    const broken = (async function* () {
      yield bytesOf('new');
      throw new RangeError('the upload was cut off');
    })();
    await expect(store().write(key, broken, HOUR)).rejects.toThrow(RangeError);
    expect(await store().read(key)).toEqual(bytesOf('old'));
  });

  if (isAtomic) {
    test('shows a blob whole or not at all while it is replaced', async () => {
      const key = newKey();
      const blobs = [randomBytes(700_000), randomBytes(300_000)] as const;
      await store().write(key, blobs[0], HOUR);
      let isWriting = true;
      const writing = (async () => {
        for (let round = 0; round < 10; round++) {
          await store().write(key, blobs[(round + 1) % 2 === 0 ? 0 : 1], HOUR);
        }
        isWriting = false;
      })();
      while (isWriting) {
        const read = Buffer.from((await store().read(key)) ?? []);
        expect(blobs.some((blob) => blob.equals(read))).toBe(true);
      }
      await writing;
    });
  }

  test('removes blobs, whether or not they are there', async () => {
    const keys = [newKey(), newKey(), newKey()];
    const [kept = '', ...removed] = keys;
    await Promise.all(keys.map((key) => store().write(key, bytesOf(key), HOUR)));
    await store().remove([...removed, newKey()]);
    await store().remove([]);
    expect(await Promise.all(removed.map((key) => store().read(key)))).toEqual([null, null]);
    expect(await store().read(kept)).toEqual(bytesOf(kept));
  });

  test('ends blobs after their time, and frees their room', async () => {
    const [short, long] = [newKey(), newKey()];
    await store().write(short, bytesOf('short'), { ttlMs: 300 });
    await store().write(long, bytesOf('long'), HOUR);
    await eventually(async () => expect(await store().read(short)).toBeNull());
    expect(await store().stream(short)).toBeNull();
    await store().sweep();
    expect(await store().read(long)).toEqual(bytesOf('long'));
  });

  test('lets a reader go away in the middle', async () => {
    const key = newKey();
    await store().write(key, randomBytes(3_000_000), HOUR);
    const streamed = await store().stream(key);
    for await (const chunk of streamed ?? []) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      break;
    }
    await eventually(() => expect(streamed?.destroyed).toBe(true));
  });

  test('refuses a key that is empty or too long', async () => {
    for (const key of ['', 'k'.repeat(513)]) {
      await expect(store().write(key, bytesOf('x'), HOUR)).rejects.toThrow('expected 1 to 512');
    }
  });
}
