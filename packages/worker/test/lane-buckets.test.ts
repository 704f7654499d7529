import { type ModelSignature, type PaddedAxis, parseLane } from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LaneBuckets } from '../src/lane-buckets.ts';
import { LearntBuckets } from '../src/learnt-buckets.ts';

/** A text encoder whose state has its rows on axis 1, and which takes one rate for a whole batch. */
function signatureOf(axes: PaddedAxis[]): ModelSignature {
  return {
    inputs: [
      { name: 'ids', datatype: 'INT64', shape: [-1, -1] },
      { name: 'mask', datatype: 'INT64', shape: [-1, -1] },
      { name: 'state', datatype: 'FP32', shape: [2, -1, -1], batchAxis: 1 },
      { name: 'rate', datatype: 'INT64', shape: [], batchAxis: null },
    ],
    outputs: [],
    batchable: true,
    maxRows: 8,
    padding: { axes, cutBack: [] },
  };
}

const like: PaddedAxis = { input: 'mask', axis: 1, value: 0, like: { input: 'ids', axis: 1 } };

describe('lanes of listed buckets', () => {
  const buckets = new LaneBuckets(
    signatureOf([
      like,
      { input: 'ids', axis: 1, value: 0, buckets: [4, 16] },
      { input: 'state', axis: 2, value: 0, buckets: [128] },
    ]),
  );

  test.each([
    ['3;3;2x100;=ff', '4;4;2x128;=ff'],
    ['4;4;2x128;=ff', '4;4;2x128;=ff'],
    ['5;5;2x100;=00', '16;16;2x128;=00'],
    // Longer than the largest: as it is.
    ['17;17;2x129;=00', '17;17;2x129;=00'],
  ])('%s goes to %s', (exact, lane) => {
    expect(buckets.laneFor(exact)).toBe(lane);
    expect(buckets.laneFor(exact)).toBe(lane);
  });
});

test('a model that pads nothing keeps its lanes, whatever they are', () => {
  const { padding, ...exact } = signatureOf([]);
  const buckets = new LaneBuckets(exact);
  expect(padding).toBeDefined();
  expect(buckets.pads).toBe(false);
  expect(buckets.laneFor('3;3;2x100;=ff')).toBe('3;3;2x100;=ff');
});

test('what was learnt of one axis holds for the axis that is like it', () => {
  const buckets = new LaneBuckets(
    signatureOf([{ input: 'ids', axis: 1, value: 0, buckets: 'auto' }, like]),
  );
  const lanes = Array.from({ length: 200 }, (_, i) => {
    const length = i % 2 === 0 ? 37 : 90;
    return buckets.laneFor(`${length};${length};2x1;=00`);
  });
  expect(lanes[0]).toBe('64;64;2x1;=00');
  expect(lanes.slice(-2)).toEqual(['37;37;2x1;=00', '90;90;2x1;=00']);
});

const lengths = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 400 });
const settings = { planEvery: 50, maxBuckets: 5 };

describe('learnt buckets', () => {
  test('hold every length in less than twice its room, and are few', () => {
    fc.assert(
      fc.property(lengths, (arrivals) => {
        const learnt = new LearntBuckets(settings);
        for (const length of arrivals) {
          learnt.observe(length);
          const bucket = learnt.bucketOf(length);
          expect(bucket).toBeGreaterThanOrEqual(length);
          expect(bucket).toBeLessThan(2 * length + 1);
          expect(learnt.buckets.length).toBeLessThanOrEqual(5);
          expect(learnt.buckets).toEqual([...new Set(learnt.buckets)].sort((a, b) => a - b));
        }
      }),
    );
  });

  test('are the same for the same lengths in the same order', () => {
    fc.assert(
      fc.property(lengths, (arrivals) => {
        const [one, other] = [new LearntBuckets(settings), new LearntBuckets(settings)];
        for (const length of arrivals) {
          one.observe(length);
          other.observe(length);
          expect(one.buckets).toEqual(other.buckets);
        }
      }),
    );
  });

  test('keep the padding of what they were learnt from at a tenth, where that takes few enough', () => {
    const learnt = new LearntBuckets({ planEvery: 500 });
    // Texts: mostly short, a few long.
    const arrivals = Array.from(
      { length: 2000 },
      (_, i) => 5 + Math.floor(((i * 7919) % 97) ** 2 / 20),
    );
    for (const length of arrivals) learnt.observe(length);
    const padded = arrivals.reduce((sum, length) => sum + learnt.bucketOf(length), 0);
    const real = arrivals.reduce((sum, length) => sum + length, 0);
    expect(1 - real / padded).toBeLessThan(0.1);
    expect(learnt.buckets.length).toBeLessThanOrEqual(12);
  });

  test('are no more than that takes', () => {
    const learnt = new LearntBuckets(settings);
    for (let i = 0; i < 200; i++) learnt.observe(i % 2 === 0 ? 10 + (i % 3) : 95 + (i % 7));
    expect(learnt.buckets).toEqual([12, 101]);
  });

  test('follow lengths that change', () => {
    const learnt = new LearntBuckets(settings);
    for (let i = 0; i < 100; i++) learnt.observe(100);
    expect(learnt.buckets).toEqual([100]);
    for (let i = 0; i < 2000; i++) learnt.observe(700);
    expect(learnt.buckets).toEqual([700]);
  });

  test('never go beyond the longest that the model takes', () => {
    const learnt = new LearntBuckets({ ...settings, maxLength: 384 });
    for (let i = 0; i < 100; i++) learnt.observe(i % 2 === 0 ? 300 : 5000);
    expect(learnt.bucketOf(290)).toBe(300);
    expect(learnt.bucketOf(350)).toBe(384);
    expect(learnt.bucketOf(5000)).toBe(5000);
  });
});

test('a lane survives being taken apart', () => {
  expect(parseLane(';2x3;=ab')).toEqual([
    { extents: [] },
    { extents: [2, 3] },
    { extents: [], shared: 'ab' },
  ]);
});
