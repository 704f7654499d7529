import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { stringifyJson } from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readInput } from '../src/predict/read-input.ts';

const NOTHING = Readable.from([]);

describe('readInput', () => {
  it('takes a file, inline JSON and standard input alike', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'quern-cli-'));
    const text = '{"description": "d", "input": {"x": [1]}, "expected": {"y": [2]}}';
    const file = join(dir, 'sample.json');
    await writeFile(file, `\uFEFF${text}`);
    try {
      for (const [argument, stdin] of [
        [file, ''],
        [text, ''],
        ['-', text],
      ] as const) {
        expect(await readInput(argument, Readable.from([stdin]))).toEqual({ x: [1] });
      }
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('joins standard input that comes in pieces, also in the middle of a character', async () => {
    const bytes = Buffer.from('{"text": ["größer"]}');
    const pieces = [...bytes].map((byte) => Buffer.from([byte]));
    expect(await readInput('-', Readable.from(pieces))).toEqual({ text: ['größer'] });
  });

  it('takes bare tensors, also one that is called "input"', async () => {
    expect(await readInput('{"x": [1]}', NOTHING)).toEqual({ x: [1] });
    expect(await readInput('{"input": [1]}', NOTHING)).toEqual({ input: [1] });
    const tensor = { input: { shape: [1], datatype: 'FP32', data: [1] } };
    expect(await readInput(JSON.stringify(tensor), NOTHING)).toEqual(tensor);
  });

  it('gives back any wrapped tensors exactly', async () => {
    const value = fc.oneof(fc.integer(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }));
    const tensors = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.array(value));
    await fc.assert(
      fc.asyncProperty(tensors, async (input) => {
        const text = stringifyJson({ input }, true);
        expect(await readInput(text, NOTHING)).toEqual({ ...input });
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['missing.json', /INPUT is "missing\.json", which cannot be read as a file .*ENOENT/],
    ['{"x": [1', /^INPUT is not valid JSON: .+/],
    ['-', /^standard input is empty/],
  ])('says what is wrong with %s', async (argument, message) => {
    await expect(readInput(argument, NOTHING)).rejects.toThrow(message);
  });

  it('refuses what is no object', async () => {
    const list = readInput('-', Readable.from(['[1, 2]']));
    await expect(list).rejects.toThrow('standard input holds an array of 2, expected {"input"');
  });
});
