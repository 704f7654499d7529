import {
  DATATYPE_TRAITS,
  DATATYPES,
  type Datatype,
  elementCount,
  encodeBytesElements,
  type Tensor,
} from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RunnerModel } from '../src/index.ts';
import { arranged, rounded, runAlone, runBatch } from './harness/batches.ts';
import { fp32, int64 } from './harness/runners.ts';
import { openSession } from './harness/sessions.ts';

const BUCKETS = [4, 8];

function identityModel(): Partial<RunnerModel> {
  return {
    inputs: { x: { padding: { 1: { buckets: [4, 8] } } } },
    outputs: { y: { cutBack: { 1: { like: 'x.1', ratio: 1, round: 'up' } } } },
    maxBatchSize: 64,
  };
}

function bytesOf(datatype: Datatype, count: number): fc.Arbitrary<Uint8Array> {
  if (datatype === 'BYTES') {
    const text = fc.constantFrom('', 'a', 'grain', 'blé');
    return fc.array(text, { minLength: count, maxLength: count }).map(encodeBytesElements);
  }
  const length = count * DATATYPE_TRAITS[datatype].bytes;
  const max = datatype === 'BOOL' ? 1 : 255;
  return fc.uint8Array({ minLength: length, maxLength: length, max });
}

describe.each(DATATYPES)('%s of any rows and lengths', (datatype) => {
  test('comes back from a padded batch at its own length', async () => {
    const session = await openSession(`identity-${datatype.toLowerCase()}`, identityModel());
    const entry = (bucket: number) =>
      fc
        .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: bucket }))
        .chain(([rows, length]) =>
          bytesOf(datatype, rows * length).map((data): Tensor[] => [
            { name: 'x', datatype, shape: [rows, length], data },
          ]),
        );
    const batch = fc.constantFrom(...BUCKETS).chain((bucket) =>
      fc.record({
        bucket: fc.constant(bucket),
        entries: fc.array(entry(bucket), { minLength: 1, maxLength: 5 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(batch, async ({ bucket, entries }) => {
        const { answers, paddingRatio } = await runBatch(session, entries, String(bucket));
        expect(answers).toEqual(entries.map(([x]) => [{ ...x, name: 'y' }]));
        const shapes = entries.map(([x]) => x?.shape ?? []);
        const own = shapes.reduce((sum, shape) => sum + elementCount(shape), 0);
        const all = shapes.reduce((sum, [rows = 0]) => sum + rows * bucket, 0);
        expect(paddingRatio).toBeCloseTo(1 - own / all, 10);
      }),
      { numRuns: 25 },
    );
  });
});

test('a mask that nobody sent keeps padding out of a mean', async () => {
  const session = await openSession('masked-mean', {
    inputs: { x: { padding: { 1: { buckets: [4, 16], value: 99 } } }, mask: { maskOf: 'x' } },
    outputs: { running: { cutBack: { 1: { like: 'x.1', ratio: 1, round: 'up' } } } },
    maxBatchSize: 64,
  });
  expect(session.loaded).toMatchObject({ warnings: [], signature: { batchable: true } });
  const number = fc.integer({ min: -50, max: 50 });
  const entry = fc
    .array(number, { minLength: 1, maxLength: 16 })
    .map((values) => [fp32('x', [1, values.length], values)]);
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 8 }), async (entries) => {
      const together = await runBatch(session, entries, '16;16');
      expect(rounded(together.answers)).toEqual(rounded(await runAlone(session, entries)));
    }),
    { numRuns: 40 },
  );
});

test('two axes are padded at once, and an output of half the width is cut back to its own', async () => {
  const session = await openSession('strided', {
    inputs: {
      x: {
        // Less than any pixel: it must not win a maximum.
        padding: { 2: { buckets: 'auto', value: -1000 }, 3: { buckets: 'auto', value: -1000 } },
      },
    },
    outputs: {
      y: {
        cutBack: {
          2: { like: 'x.2', ratio: 1, round: 'up' },
          3: { like: 'x.3', ratio: 0.5, round: 'up' },
        },
      },
    },
    maxBatchSize: 64,
  });
  const side = fc.integer({ min: 1, max: 6 });
  const image = fc.tuple(side, side).chain(([height, width]) =>
    fc
      .array(fc.integer({ min: -9, max: 9 }), {
        minLength: height * width,
        maxLength: height * width,
      })
      .map((pixels) => [fp32('x', [1, 1, height, width], pixels)]),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(image, { minLength: 1, maxLength: 6 }), async (entries) => {
      const together = await runBatch(session, entries, '1x6x6');
      expect(rounded(together.answers)).toEqual(rounded(await runAlone(session, entries)));
    }),
    { numRuns: 40 },
  );
});

test('an entry that is too long for the lane, or other where nothing is padded, fails alone', async () => {
  const session = await openSession('identity-fp32', identityModel());
  const good = [fp32('x', [1, 3], [1, 2, 3])];
  const long = [fp32('x', [1, 5], [1, 2, 3, 4, 5])];
  const { answers } = await runBatch(session, [good, long], '4');
  expect(answers[0]).toHaveLength(1);
  expect(answers[1]).toBe('the entry is of lane 5, which cannot be padded to 4');
});

test('lengths that must be equal are compared before padding hides them', async () => {
  const { signature } = (
    await openSession('masked-mean', {
      inputs: { x: { padding: { 1: { buckets: [4] } } }, mask: { maskOf: 'x' } },
    })
  ).loaded;
  const entry = [fp32('x', [1, 3], [1, 2, 3]), int64('mask', [1, 2], [1n, 1n])];
  expect(() => arranged(entry, signature)).toThrow(
    'input.mask: got 2 on axis 1, expected 3 as on axis 1 of x',
  );
});

test('without padding nothing about a model changes', async () => {
  const { loaded } = await openSession('identity-fp32');
  expect(loaded.signature).not.toHaveProperty('padding');
});

const like = (axis: string) => ({ like: axis, ratio: 1, round: 'up' as const });

describe('model.yaml against the model', () => {
  const padded = { x: { padding: { 1: { buckets: [4] } } } };
  test.each<[string, Partial<RunnerModel>, string]>([
    [
      'an axis that counts rows',
      { inputs: { x: { padding: { 0: { buckets: [4] } } } } },
      'inputs.x.padding.0: axis 0 of x counts rows',
    ],
    [
      'an axis that there is not',
      { inputs: { x: { padding: { 2: { buckets: [4] } } } } },
      'inputs.x.padding.2: x is [-1,-1], expected an axis of it',
    ],
    [
      'a value that the datatype cannot hold',
      { inputs: { mask: { padding: { 1: { buckets: [4], value: 0.5 } } } } },
      'inputs.mask.padding.1: value: got 0.5, expected an integer',
    ],
    [
      'the likeness of an unknown input',
      { inputs: { ...padded, mask: { padding: { 1: { like: 'y.1' } } } } },
      'inputs.mask.padding.1.like: got y.1, but the model has no input y: x, mask',
    ],
    [
      'the likeness of an axis without buckets',
      { inputs: { ...padded, mask: { padding: { 1: { like: 'x.0' } } } } },
      'inputs.mask.padding.1.like: got x.0, expected an axis with buckets of its own',
    ],
    [
      'a mask of itself',
      { inputs: { mask: { maskOf: 'mask' } } },
      'inputs.mask.maskOf: got mask, expected an input that is no mask: x',
    ],
    [
      'a cut by an axis that is not padded',
      { inputs: padded, outputs: { running: { cutBack: { 1: like('mask.1') } } } },
      'outputs.running.cutBack.1.like: got mask.1, expected an axis that inputs.*.padding pads',
    ],
    [
      'an unknown output',
      { outputs: { walking: {} } },
      'outputs.walking: the model has no such output, expected running, mean',
    ],
    [
      'a ratio that is not the model’s',
      {
        inputs: { ...padded, mask: { maskOf: 'x' } },
        outputs: { running: { cutBack: { 1: { ...like('x.1'), ratio: 0.5 } } } },
      },
      'outputs.running.cutBack.1: the warm-up gave 4 where x.1 was 4, expected 2 (4 x 0.5, rounded up)',
    ],
  ])('%s is an error that names the key', async (_, model, message) => {
    await expect(openSession('masked-mean', model)).rejects.toThrow(message);
  });

  test('an axis of fixed length is an error', async () => {
    const inputs = { a: { padding: { 1: { buckets: [4] } } } };
    await expect(openSession('add', { inputs })).rejects.toThrow(
      'axis 1 of a is fixed at 3, expected a dynamic one',
    );
  });

  test('lengths that change with a padded one and are forgotten are warned of', async () => {
    const inputs = { x: { padding: { 1: { buckets: [4] } } } };
    const { warnings } = (await openSession('masked-mean', { inputs })).loaded;
    expect(warnings.join('\n')).toContain('inputs: {mask: {padding: {1: {like: x.1}}}}');
    expect(warnings.join('\n')).toContain('outputs: {running: {cutBack: {1: {like: x.1}}}}');
  });
});
