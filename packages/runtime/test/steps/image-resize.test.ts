import { QuernError, type TensorSpec } from '@quern/contract';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { imageConfigSchema } from '../../src/steps/image/image-config.ts';
import { loadImageStep } from '../../src/steps/image/image-step.ts';

function load(config: Record<string, unknown>, shape: number[]) {
  const spec: TensorSpec = { name: 'x', datatype: 'UINT8', shape };
  return loadImageStep(imageConfigSchema.parse(config), {
    modelFolder: '/nowhere',
    sessionInputs: [spec],
    labels: undefined,
    problem: (key, message) => new QuernError('CONFIG_INVALID', `${key}: ${message}`),
  });
}

function picture(width: number, height: number): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
}

test.each([
  [{ height: 48 }, [1, 48, 99, 3]],
  [{ width: 48 }, [1, 23, 48, 3]],
  [{ shortestSide: 48 }, [1, 48, 98, 3]],
  [{ height: 48, width: 20 }, [1, 48, 20, 3]],
  ['none', [1, 35, 72, 3]],
])('resize %j of a picture of 72x35 makes %j', async (resize, expected) => {
  const step = await load({ resize }, [-1, -1, -1, 3]);
  const [made] = await step.run([[await picture(72, 35)]]);
  expect(made?.shape).toEqual(expected);
});

test('a sliver of a picture keeps a pixel', async () => {
  const step = await load({ resize: { height: 2 } }, [-1, 2, -1, 3]);
  const [made] = await step.run([[await picture(1, 90)]]);
  expect(made?.shape).toEqual([1, 2, 1, 3]);
});

test('a picture that resizing would blow up is refused', async () => {
  const step = await load({ resize: { height: 1000 }, maxPixels: 100_000 }, [-1, -1, -1, 3]);
  await expect(step.run([[await picture(1000, 2)]])).rejects.toThrow(
    /1000x2, which resized is 500000x1000; expected at most 100000 pixels/,
  );
});

test.each([
  [{ resize: { height: 32 } }, /resize: gives height 32, but the model takes height 48/],
  [{ resize: { width: 48 } }, /resize: gives a height that differs from image to image/],
  [{ resize: { shortestSide: 48 } }, /resize: gives a height that differs from image to image/],
])('%j is refused at the load by a model of one height', async (config, message) => {
  await expect(load(config, [-1, 48, -1, 3])).rejects.toThrow(message);
});
