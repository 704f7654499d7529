import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type JobResult, jobResultSchema, packResult } from '../src/index.ts';

const timeMs = fc.double({ min: 0, max: 1e5, noNaN: true });
const count = fc.integer({ min: 1, max: 4096 });

const results: fc.Arbitrary<JobResult> = fc
  .record({
    batchId: fc.string(),
    batchRows: count,
    batchEntries: count,
    reason: fc.string(),
    startedAtMs: fc.nat(),
    queueTimeMs: timeMs,
    collateTimeMs: timeMs,
    inferenceTimeMs: timeMs,
    splitTimeMs: timeMs,
    storeTimeMs: fc.oneof(fc.constant(0), timeMs),
    executionProvider: fc.string(),
    paddingRatio: fc.option(fc.double({ min: 0.001, max: 1, noNaN: true }), { nil: undefined }),
    lane: fc.option(fc.string(), { nil: undefined }),
    reruns: fc.option(count, { nil: undefined }),
    output: fc.option(fc.uint8Array(), { nil: undefined }),
  })
  .map(({ output, ...rest }) => ({
    ...rest,
    ...(output === undefined
      ? { bytes: 9_999, outputKey: 'key' }
      : { bytes: output.byteLength, output: Buffer.from(output).toString('base64') }),
  }));

test('a stored result reads as it was, but for digits that nobody needs', () => {
  fc.assert(
    fc.property(results, (result) => {
      const read = jobResultSchema.parse(JSON.parse(JSON.stringify(packResult(result))));
      for (const [name, value] of Object.entries(result)) {
        const got = read[name as keyof JobResult];
        if (typeof value !== 'number') expect(got).toEqual(value);
        else expect(Math.abs(Number(got) - value)).toBeLessThanOrEqual(0.001 + value / 1000);
      }
    }),
  );
});

test('a stored result is small: it is written for every prediction', () => {
  const result: JobResult = {
    batchId: 'worker-7f9c-31.1.20417',
    batchRows: 64,
    batchEntries: 64,
    reason: 'full',
    startedAtMs: 1_795_468_604_857,
    queueTimeMs: 1234.5678,
    collateTimeMs: 0.4123,
    inferenceTimeMs: 11.8764,
    splitTimeMs: 0.1034,
    storeTimeMs: 0,
    executionProvider: 'cpu',
    bytes: 0,
    output: '',
  };
  const bytes = (value: unknown): number => JSON.stringify(value).length;
  expect(bytes(packResult(result))).toBeLessThan(bytes(result) / 2);
});
