import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { entry, floats, launch, outputsOf } from '../harness/runners.ts';
import { field, steppedModel } from '../harness/steps.ts';
import { wav } from '../harness/wav.ts';

const exampleModel = (name: string): string =>
  fileURLToPath(new URL(`../../../../models/${name}/1/model.onnx`, import.meta.url));

const YAML = `
preprocess:
  - image: {invert: true, scale: ${16 / 255}}
postprocess: [softmax]
`;

/** A picture of one grey. */
function grey(value: number): Promise<Buffer> {
  const create = {
    width: 20,
    height: 20,
    channels: 3,
    background: { r: value, g: value, b: value },
  } as const;
  return sharp({ create }).png().toBuffer();
}

/** A JPEG that is long enough to be cut in half. */
function noise(): Promise<Buffer> {
  const gaussian = { type: 'gaussian', mean: 128, sigma: 60 } as const;
  const create = { width: 64, height: 64, channels: 3, noise: gaussian } as const;
  return sharp({ create: { ...create, background: 'black' } })
    .jpeg()
    .toBuffer();
}

describe('a model with steps', () => {
  test('takes pictures, and a damaged one fails alone', async () => {
    const { runner } = launch(steppedModel('digits', YAML, { modelPath: exampleModel('digits') }));
    const loaded = await runner.ready;
    expect(loaded.signature.inputs).toMatchObject([
      { name: 'image', datatype: 'BYTES', shape: [-1], field: { kind: 'image' } },
    ]);
    const [dark, light] = [await grey(0), await grey(255)];
    const photo = await noise();
    const result = await runner.run({
      batchId: 'b',
      entries: [
        entry('good', 1, [field('image', [dark])]),
        entry('bad', 1, [field('image', [photo.subarray(0, photo.byteLength / 2)])]),
        entry('two', 2, [field('image', [light, dark])]),
      ],
    });
    expect(result.outcomes[1]).toMatchObject({
      ok: false,
      error: { code: 'PREPROCESS_FAILED', retryable: false },
    });
    const [one] = outputsOf(result, 0);
    const [both] = outputsOf(result, 2);
    expect(both?.shape).toEqual([2, 10]);
    expect(floats(both).slice(10)).toEqual(floats(one));
  });

  test('takes records, and one with a wrong value fails alone', async () => {
    const modelPath = exampleModel('credit-risk');
    const { runner } = launch(steppedModel('credit-risk', 'preprocess: [record]', { modelPath }));
    expect((await runner.ready).signature.inputs).toMatchObject([
      { name: 'record', datatype: 'BYTES', shape: [-1], field: { kind: 'record' } },
    ]);
    const { input, expected } = await sample('credit-risk', 'good');
    const record = mapValues(input, (rows) => (rows as unknown[][])[0]?.[0]);
    const result = await runner.run({
      batchId: 'b',
      entries: [
        entry('good', 1, [field('record', [JSON.stringify(record)])]),
        entry('bad', 1, [field('record', [JSON.stringify({ ...record, age_years: 'old' })])]),
      ],
    });
    expect(result.outcomes[1]).toMatchObject({
      ok: false,
      error: {
        code: 'PREPROCESS_FAILED',
        message: expect.stringMatching(/record.*age_years.*"old"/),
      },
    });
    const probabilities = outputsOf(result, 0).find(({ name }) => name === 'probabilities');
    expectNear(floats(probabilities), expected['probabilities']);
  });

  test('takes sound, and a file that is cut off fails alone', async () => {
    const yaml = 'preprocess:\n  - audio: {sampleRateHz: 16000}\n';
    const { runner } = launch(steppedModel('identity-fp32', yaml));
    await runner.ready;
    const [left, right] = [
      [0.5, -0.25, 0],
      [0, 0.25, 0.5],
    ];
    const file = wav({ tag: 1, bits: 16 }, { sampleRateHz: 16_000, channels: [left, right] });
    const result = await runner.run({
      batchId: 'b',
      entries: [
        entry('good', 1, [field('audio', [file])]),
        entry('bad', 1, [field('audio', [file.subarray(0, file.byteLength - 4)])]),
      ],
    });
    expect(floats(outputsOf(result, 0)[0])).toEqual([0.25, 0, 0.25]);
    expect(result.outcomes[1]).toMatchObject({
      ok: false,
      error: {
        code: 'PREPROCESS_FAILED',
        message: expect.stringMatching(
          /step audio: audio\[0\].*claims 12 bytes, but only 8 follow/,
        ),
      },
    });
  });

  test('takes texts of several lengths in one batch', async () => {
    const modelPath = exampleModel('language');
    const yaml = 'preprocess:\n  - text: {tokenizer: bytes}\n';
    const { runner } = launch(steppedModel('language', yaml, { modelPath }));
    await runner.ready;
    const names = ['english', 'german'];
    const samples = await Promise.all(names.map((name) => sample('language', name)));
    const texts = samples.map(({ input }) => Buffer.from((input['text'] as number[][])[0] ?? []));
    const result = await runner.run({
      batchId: 'b',
      entries: texts.map((text, index) => entry(`e${index}`, 1, [field('text', [text])])),
    });
    for (const [index, { expected }] of samples.entries()) {
      expectNear(floats(outputsOf(result, index)[0]), expected['probabilities']);
    }
  });
});

interface Sample {
  readonly input: Readonly<Record<string, unknown>>;
  readonly expected: Readonly<Record<string, unknown>>;
}

async function sample(model: string, name: string): Promise<Sample> {
  const file = new URL(`../../../../models/${model}/samples/${name}.json`, import.meta.url);
  return JSON.parse(await readFile(file, 'utf8')) as Sample;
}

function mapValues<T, R>(object: Readonly<Record<string, T>>, map: (value: T) => R) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}

function expectNear(actual: readonly number[], expected: unknown): void {
  const [row = []] = expected as number[][];
  expect(actual).toHaveLength(row.length);
  for (const [index, value] of row.entries()) expect(actual[index]).toBeCloseTo(value, 4);
}
