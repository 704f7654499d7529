import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { entry, floats, launch, outputsOf } from '../harness/runners.ts';
import { field, steppedModel } from '../harness/steps.ts';

const DIGITS = fileURLToPath(new URL('../../../../models/digits/1/model.onnx', import.meta.url));

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
    const { runner } = launch(steppedModel('digits', YAML, { modelPath: DIGITS }));
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
});
