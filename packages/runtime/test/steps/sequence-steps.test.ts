import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  decodeBytesElements,
  QuernError,
  type Tensor,
  type TensorSpec,
  viewBytes,
} from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadPostprocessStep, postprocessSchema } from '../../src/steps/step-registry.ts';
import { integers as numbers } from '../harness/numbers.ts';

const MASK: TensorSpec = { name: 'attention_mask', datatype: 'INT64', shape: [-1, -1] };

async function load(declared: unknown, output: number[], modelFolder = '/nowhere', masks = [MASK]) {
  const [config] = postprocessSchema.parse([declared]);
  if (config === undefined) throw new Error('no step');
  return loadPostprocessStep(config, {
    modelFolder,
    sessionInputs: masks,
    labels: undefined,
    outputs: [{ name: 'y', datatype: 'FP32', shape: output }],
    problem: (key, message) => new QuernError('CONFIG_INVALID', `${key}: ${message}`),
  });
}

function fp32(shape: readonly number[], values: readonly number[]): Tensor {
  return { name: 'y', datatype: 'FP32', shape, data: viewBytes(Float32Array.from(values)) };
}

const mask = (shape: readonly number[], values: readonly number[]): Tensor => ({
  ...MASK,
  shape,
  data: viewBytes(BigInt64Array.from(values, BigInt)),
});

describe('pooling', () => {
  // Two rows of three tokens with two numbers each; the second row has one token.
  const tokens = fp32([2, 3, 2], [1, 2, 3, 6, 5, 1, 3, 4, 9, 9, 9, 9]);
  const entry = { rows: 2, inputs: [mask([2, 3], [1, 1, 1, 1, 0, 0])] };

  test.each([
    [{ mode: 'mean' }, [3, 3, 3, 4]],
    [{ mode: 'max' }, [5, 6, 3, 4]],
    [{ mode: 'cls' }, [1, 2, 3, 4]],
  ])('%j counts the tokens that the mask keeps', async (settings, expected) => {
    const step = await load({ pooling: { ...settings, normalize: false } }, [-1, -1, 2]);
    expect(step.outputs).toEqual([{ name: 'embedding', datatype: 'FP32', shape: [-1, 2] }]);
    const [made] = await step.run([tokens], entry);
    expect(made?.shape).toEqual([2, 2]);
    expect(numbers(made)).toEqual(expected);
  });

  test('gives vectors of length 1, and zeros for a row without tokens', async () => {
    const step = await load('pooling', [-1, -1, 2]);
    const nothing = { rows: 2, inputs: [mask([2, 3], [1, 0, 0, 0, 0, 0])] };
    const [made] = await step.run([tokens], nothing);
    const values = numbers(made);
    expect(Math.hypot(...values.slice(0, 2))).toBeCloseTo(1, 6);
    expect(values.slice(2)).toEqual([0, 0]);
  });

  test('fails where the mask has another length than the output', async () => {
    const step = await load('pooling', [-1, -1, 2]);
    const other = { rows: 2, inputs: [mask([2, 2], [1, 1, 1, 1])] };
    expect(() => step.run([tokens], other)).toThrow(/attention_mask has 4 elements, expected 6/);
  });

  test.each([
    [{ pooling: {} }, [-1, 2], [MASK], /y is \[-1,2\]/],
    [{ pooling: { mask: 'm' } }, [-1, -1, 2], [MASK], /mask: m is no input/],
    [{ pooling: {} }, [-1, -1, 2], [{ ...MASK, shape: [-1] }], /attention_mask is INT64 \[-1\]/],
  ])('%j is refused at the load for %j', async (declared, output, masks, message) => {
    await expect(load(declared, output, '/nowhere', masks)).rejects.toThrow(message);
  });
});

describe('ctc', () => {
  async function folderWith(alphabet: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'quern-ctc-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'alphabet.txt'), alphabet);
    return folder;
  }

  /** Scores of which the given class of each step is the best. */
  function path(rows: readonly (readonly number[])[], classes: number, score = 0.75): Tensor {
    const steps = rows[0]?.length ?? 0;
    const values = rows.flatMap((best) =>
      best.flatMap((at) => Array.from({ length: classes }, (_, i) => (i === at ? score : 0.125))),
    );
    return fp32([rows.length, steps, classes], values);
  }

  async function texts(step: Awaited<ReturnType<typeof load>>, scores: Tensor) {
    const made = await step.run([scores], { rows: scores.shape[0] ?? 0, inputs: [] });
    const text = made.find(({ name }) => name === 'text');
    const confidence = made.find(({ name }) => name === 'confidence');
    return {
      text: decodeBytesElements(text?.data ?? new Uint8Array()),
      confidence: numbers(confidence),
    };
  }

  test('drops blanks and counts repeated characters once', async () => {
    const folder = await folderWith('h\né\nl\no\n');
    const step = await load({ ctc: { space: true } }, [-1, -1, 6], folder);
    const rows = [
      [1, 1, 2, 0, 3, 0, 3, 4, 4],
      [0, 0, 0, 0, 0, 0, 0, 0, 0],
      [1, 5, 1, 0, 0, 0, 0, 0, 0],
    ];
    expect(await texts(step, path(rows, 6))).toEqual({
      text: ['héllo', '', 'h h'],
      confidence: [0.75, 0, 0.75],
    });
  });

  test('takes the last class as the blank', async () => {
    const step = await load({ ctc: { blank: 'last' } }, [-1, -1, 3], await folderWith('a\nb'));
    expect((await texts(step, path([[0, 2, 0, 1]], 3))).text).toEqual(['aab']);
  });

  test('finds every text, however long its characters last', async () => {
    const step = await load('ctc', [-1, -1, 4], await folderWith('a\nb\nc'));
    const characters = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 12 });
    const lasting = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 12, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(characters, lasting, async (word, times) => {
        const steps = word.flatMap((at, i) => [...Array<number>(times[i] ?? 1).fill(at), 0]);
        const made = await texts(step, path([steps], 4));
        expect(made.text).toEqual([word.map((at) => ' abc'[at]).join('')]);
      }),
    );
  });

  test.each([
    [{ ctc: {} }, [-1, 3], /y is \[-1,3\]/],
    [{ ctc: {} }, [-1, -1, 9], /alphabet: has 2 characters, but y has 9 classes/],
    [{ ctc: { alphabet: '../x' } }, [-1, -1, 3], /outside of the model's folder/],
    [{ ctc: { alphabet: 'no' } }, [-1, -1, 3], /no cannot be read: ENOENT/],
    [{ ctc: { blank: 3 } }, [-1, -1, -1], /blank: got class 3, but there are 3/],
  ])('%j is refused at the load for %j', async (declared, output, message) => {
    const folder = await folderWith('a\nb');
    await expect(load(declared, output, folder)).rejects.toThrow(message);
  });
});
