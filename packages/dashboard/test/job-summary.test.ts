import { type JobData, jobDataSchema, packResult } from '@quern/queue';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatBytes, summarizeData, summarizeResult, titleOf } from '../src/board/job-summary.ts';
import { RESULT } from './served-models.ts';

const DATA: JobData = {
  model: 'digits',
  version: 3,
  rows: 2,
  lane: '1x28x28',
  bytes: 6_400,
  form: 'nested',
  shapes: { image: 'FP32[2,1,28,28]' },
  priority: 'high',
  deadlineAtMs: Date.UTC(2026, 4, 6, 7, 8, 9),
  metadata: { ticket: 41 },
};

describe('the data of a prediction', () => {
  test('reads as people say it', () => {
    expect(summarizeData(DATA)).toEqual({
      model: 'digits',
      version: 3,
      rows: 2,
      inputs: { image: 'FP32[2,1,28,28]' },
      inputSize: '6.4 kB',
      inputStored: 'under a key of its own',
      priority: 'high',
      deadline: '2026-05-06T07:08:09.000Z',
      metadata: { ticket: 41 },
    });
  });

  test('never holds the tensors', () => {
    const input = Buffer.from('tensor bytes').toString('base64');
    const summary = summarizeData({ ...DATA, input });
    expect(JSON.stringify(summary)).not.toContain(input);
    expect(summary).toMatchObject({ inputStored: 'in the job' });
  });

  test('says so when there is no deadline, or one that is no date', () => {
    const { deadlineAtMs: _, ...rest } = DATA;
    expect(summarizeData(rest)).toMatchObject({ deadline: 'none' });
    expect(summarizeData({ ...DATA, deadlineAtMs: 1e300 })).toMatchObject({ deadline: '1e+300' });
  });
});

describe('the result of a prediction', () => {
  test('shows its batch, its times and where the output is', () => {
    expect(summarizeResult(packResult(RESULT))).toEqual({
      batchId: 'batch-17',
      batchRows: 12,
      batchPredictions: 5,
      batchReason: 'full',
      queueTimeMs: 7.25,
      collateTimeMs: 0.4,
      inferenceTimeMs: 31.5,
      splitTimeMs: 0.2,
      storeTimeMs: 1.1,
      executionProvider: 'webgpu',
      started: '2026-01-02T03:04:05.000Z',
      outputSize: '108 B',
      outputStored: 'in the job',
    });
  });

  test('names the key of a large output', () => {
    const { output: _, ...rest } = RESULT;
    const large = { ...rest, bytes: 2_500_000, outputKey: 'quern:{m}:result:1' };
    expect(summarizeResult(packResult(large))).toMatchObject({
      outputSize: '2.5 MB',
      outputStored: 'under quern:{m}:result:1',
    });
  });
});

test('a title sums a job up', () => {
  expect(titleOf({ name: 'digits:3', data: DATA })).toBe('digits:3 · 2 rows');
  const title = titleOf({
    name: 'digits:3',
    data: { ...DATA, rows: 1 },
    returnvalue: packResult(RESULT),
  });
  expect(title).toBe('digits:3 · 1 row · in a batch of 12 · 31.5 ms');
  expect(titleOf({ name: 'by-hand', data: 7 })).toBe('by-hand');
});

describe('what is not ours', () => {
  test('shows as it is while it is short', () => {
    expect(summarizeData({ hello: [1, 2] })).toEqual({ hello: [1, 2] });
    expect(summarizeResult(null)).toBeNull();
    expect(summarizeData(undefined)).toBeUndefined();
  });

  test('is cut, with its size', () => {
    const summary = summarizeData({ blob: 'x'.repeat(2_000_000) });
    expect(summary).toMatch(/^\{"blob":"xxx.*\.\.\. \(2\.0 MB in all\)$/);
  });
});

test('no summary is ever longer than a few kilobytes', () => {
  const longText = fc.string({ maxLength: 20_000, size: 'max' });
  const ours = fc.record({
    ...Object.fromEntries(Object.entries(DATA).map(([key, value]) => [key, fc.constant(value)])),
    lane: longText,
    shapes: fc.dictionary(fc.string(), longText),
    metadata: fc.dictionary(fc.string(), fc.oneof(longText, fc.jsonValue())),
    input: longText,
  });
  fc.assert(
    fc.property(fc.oneof(ours, fc.jsonValue(), longText), (data) => {
      for (const summary of [summarizeData(data), summarizeResult(data)]) {
        // Once more for what JSON escapes in a text that was cut.
        expect(JSON.stringify(summary).length).toBeLessThan(2 * 8192 + 100);
      }
    }),
    { numRuns: 50, examples: [[{ ...DATA, metadata: { long: 'é"\\'.repeat(9000) } }]] },
  );
  expect(jobDataSchema.safeParse(DATA).success).toBe(true);
});

test('sizes are in the unit that fits', () => {
  expect([0, 999, 1000, 2_000_000, 3_500_000_000, 4e13].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '2.0 MB',
    '3.5 GB',
    '40000.0 GB',
  ]);
});
