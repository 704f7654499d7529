import { decodeBytesElements, QuernError, type TensorSpec } from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recordConfigSchema } from '../../src/steps/record/record-config.ts';
import { loadRecordStep } from '../../src/steps/record/record-step.ts';
import { integers as numbers } from '../harness/numbers.ts';

function load(config: Record<string, unknown>, sessionInputs: readonly TensorSpec[]) {
  return loadRecordStep(recordConfigSchema.parse(config), {
    modelFolder: '/nowhere',
    sessionInputs,
    labels: undefined,
    problem: (key, message) => new QuernError('CONFIG_INVALID', `${key}: ${message}`),
  });
}

const matrix = (width: number): TensorSpec[] => [
  { name: 'x', datatype: 'FP32', shape: [-1, width] },
];
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

async function run(step: ReturnType<typeof load>, ...records: readonly unknown[]) {
  return step.run([records.map(json)]);
}

describe('the step record', () => {
  const columns = [
    { name: 'age', mean: 40, std: 10 },
    { name: 'plan', categories: ['free', 'paid'], encode: 'oneHot' },
    { name: 'active', type: 'boolean', default: false },
    { name: 'score', from: 'credit score', missing: 'nan' },
  ];
  const step = load({ input: 'x', columns }, matrix(5));

  test('makes one matrix of all columns', async () => {
    const [x] = await run(
      step,
      { age: 50, plan: 'paid', active: true, 'credit score': 7 },
      { plan: 'free', age: 30 },
    );
    expect(x).toMatchObject({ name: 'x', datatype: 'FP32', shape: [2, 5] });
    const values = new Float32Array(x?.data.slice().buffer ?? new ArrayBuffer());
    expect([...values]).toEqual([1, 0, 1, 1, 7, -1, 1, 0, 0, Number.NaN]);
  });

  test.each([
    [{ age: 'old', plan: 'free' }, /record\[0\]\.age.*"old".*expected a number/],
    [{ plan: 'free' }, /record\[0\]\.age.*missing/],
    [{ age: 1, plan: 'gold' }, /record\[0\]\.plan.*"gold".*one of "free", "paid"/],
    [{ age: 1, plan: 'free', activ: true }, /activ.*no column.*did you mean active/],
    [{ age: 1, plan: 'free', active: 1 }, /active.*expected true or false/],
    [[1, 2], /record\[0\].*expected an object/],
    [{ age: 1e300, plan: 'free' }, /age.*fits FP32/],
  ])('refuses %j and says what it expected', async (record, message) => {
    await expect(async () => run(step, record)).rejects.toThrow(message);
  });

  test('names the row of several', async () => {
    const good = { age: 1, plan: 'free' };
    await expect(async () => run(step, good, { plan: 'free' })).rejects.toThrow(/record\[1\]\.age/);
  });

  test('refuses what is not JSON', async () => {
    await expect(async () => step.run([[new TextEncoder().encode('{')]])).rejects.toThrow(
      /record\[0\].*not valid JSON/,
    );
  });

  test('has an input for each column where none is named for all', async () => {
    const inputs: TensorSpec[] = [
      { name: 'job', datatype: 'BYTES', shape: [-1, 1] },
      { name: 'amount', datatype: 'INT64', shape: [-1] },
    ];
    const [job, amount] = await run(load({}, inputs), { amount: 9007199254740991, job: 'chef' });
    expect(job?.shape).toEqual([1, 1]);
    expect(decodeBytesElements(job?.data ?? new Uint8Array())).toEqual(['chef']);
    expect(amount?.shape).toEqual([1]);
    expect(numbers(amount)).toEqual([9007199254740991]);
  });

  test.each([
    [{ input: 'x' }, /columns: expected the columns/],
    [{ input: 'y', columns: ['a'] }, /input: the model has no input y/],
    [{ input: 'x', columns: ['a', 'b'] }, /columns: make 2 numbers.*x is \[-1,5\]/],
    [{ input: 'x', columns: ['a', 'a'] }, /columns\.1\.name.*twice/],
    [{ input: 'x', columns: [{ name: 'a', type: 'text' }] }, /columns\.0\.type.*text.*FP32/],
    [{ input: 'x', columns: [{ name: 'a', default: 'b' }] }, /columns\.0\.default.*"b"/],
  ])('is refused at the load with %j', (config, message) => {
    expect(() => load(config, matrix(5))).toThrow(message);
  });

  test('keeps every number that its datatype holds, in its place', async () => {
    const names = ['a', 'b', 'c'];
    const plain = load({ input: 'x', columns: names }, [
      { name: 'x', datatype: 'FP64', shape: [-1, 3] },
    ]);
    const record = fc.record({
      a: fc.double({ noNaN: true, noDefaultInfinity: true }),
      b: fc.integer(),
      c: fc.double({ noNaN: true, noDefaultInfinity: true }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 5 }), async (records) => {
        const [x] = await run(plain, ...records);
        const made = [...new Float64Array(x?.data.slice().buffer ?? new ArrayBuffer())];
        // JSON has no negative zero.
        expect(made).toEqual(records.flatMap(({ a, b, c }) => [a + 0, b, c + 0]));
      }),
    );
  });
});
