import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createPredictionSchema,
  DATATYPES,
  ERROR_CODES,
  isTerminal,
  MAX_METADATA_BYTES,
  MODEL_NAME_PATTERN,
  PREDICTION_STATUSES,
  type Prediction,
  parseJson,
  predictionSchema,
  predictionToWire,
  stringifyJson,
} from '../src/index.ts';
import { arbitraryTensor } from './arbitrary-tensors.ts';
import { forAll } from './for-all.ts';

const timeMs = fc.integer({ min: 0, max: 253_402_300_799_999 });
const durationMs = fc.double({ min: 0, max: 1e9, noNaN: true });
const anyTensor = fc.constantFrom(...DATATYPES).chain((datatype) => arbitraryTensor(datatype));

const arbitraryPrediction: fc.Arbitrary<Prediction> = fc.record(
  {
    id: fc.stringMatching(/^[A-Za-z0-9_.~-]{1,30}$/),
    model: fc.stringMatching(MODEL_NAME_PATTERN),
    version: fc.integer({ min: 1 }),
    status: fc.constantFrom(...PREDICTION_STATUSES),
    outputs: fc.array(anyTensor, { maxLength: 2 }),
    form: fc.constantFrom('nested', 'flat', 'base64'),
    dataRemoved: fc.boolean(),
    error: fc.record({
      code: fc.constantFrom(...ERROR_CODES),
      message: fc.string(),
      retryable: fc.boolean(),
    }),
    metrics: fc.record(
      {
        queueTimeMs: durationMs,
        inferenceTimeMs: durationMs,
        totalTimeMs: durationMs,
        batchSize: fc.nat(),
        attempts: fc.nat(),
      },
      { requiredKeys: ['attempts'] },
    ),
    createdAtMs: timeMs,
    startedAtMs: timeMs,
    completedAtMs: timeMs,
    deadlineAtMs: timeMs,
    metadata: fc.dictionary(fc.string(), fc.jsonValue()),
  },
  {
    requiredKeys: [
      'id',
      'model',
      'version',
      'status',
      'form',
      'dataRemoved',
      'metrics',
      'createdAtMs',
    ],
  },
);

describe('predictionToWire', () => {
  it('conforms to predictionSchema, also as text', () => {
    forAll(
      arbitraryPrediction,
      (prediction) => {
        const { body, holdsBigints } = predictionToWire(prediction, 'http://localhost:8080');
        expect(predictionSchema.strict().parse(body)).toBeDefined();
        const written = parseJson(stringifyJson(body, holdsBigints));
        expect(predictionSchema.strict().safeParse(written).error).toBeUndefined();
      },
      100,
    );
  });

  it('writes every field where clients look for it', () => {
    const prediction: Prediction = {
      id: 'a~1',
      model: 'digits',
      version: 2,
      status: 'succeeded',
      outputs: [
        { name: '__proto__', datatype: 'UINT8', shape: [1, 2], data: Uint8Array.of(1, 2) },
        { name: 'n', datatype: 'UINT64', shape: [], data: new Uint8Array(8).fill(255) },
      ],
      form: 'nested',
      dataRemoved: false,
      metrics: { queueTimeMs: 1.5, inferenceTimeMs: 2, totalTimeMs: 4, batchSize: 8, attempts: 1 },
      createdAtMs: 0,
      startedAtMs: 1,
      completedAtMs: 4,
      metadata: { order: 7 },
    };
    const { body, holdsBigints } = predictionToWire(prediction, 'http://h');
    expect(holdsBigints).toBe(true);
    expect(stringifyJson(body.output, true)).toBe('{"__proto__":[[1,2]],"n":18446744073709551615}');
    expect({ ...body, output: undefined }).toEqual({
      id: 'a~1',
      model: 'digits',
      version: '2',
      status: 'succeeded',
      output: undefined,
      error: null,
      metrics: {
        queue_time_ms: 1.5,
        inference_time_ms: 2,
        total_time_ms: 4,
        batch_size: 8,
        attempts: 1,
      },
      created_at: '1970-01-01T00:00:00.000Z',
      started_at: '1970-01-01T00:00:00.001Z',
      completed_at: '1970-01-01T00:00:00.004Z',
      expires_at: null,
      data_removed: false,
      urls: {
        get: 'http://h/v1/predictions/a~1',
        cancel: 'http://h/v1/predictions/a~1/cancel',
        events: 'http://h/v1/predictions/a~1/events',
      },
      metadata: { order: 7 },
    });
  });

  it('only starting and processing are not final', () => {
    expect(PREDICTION_STATUSES.filter((status) => !isTerminal(status))).toEqual([
      'starting',
      'processing',
    ]);
  });
});

describe('a request to create', () => {
  const messages = (body: Record<string, unknown>) =>
    createPredictionSchema
      .safeParse({ input: {}, ...body })
      .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

  it('needs an input and nothing else', () => {
    expect(createPredictionSchema.parse({ input: { x: [1] } })).toEqual({
      input: { x: [1] },
      priority: 'normal',
    });
    expect(createPredictionSchema.safeParse({}).success).toBe(false);
    expect(messages({ inputs: 1 })).toEqual([expect.stringContaining('inputs')]);
  });

  it.each(['a', 'order-17', '1.5', '7a', '-', '_', '0b6f7f9e-3a64-4a0e-8f0e-111111111111', '...'])(
    'may have the id %s',
    (id) => expect(messages({ id })).toEqual([]),
  );

  it.each(['', '7', '007', '-7', '.', '..', 'a:b', 'a/b', 'a b', 'é', 'a\n', 'a'.repeat(129)])(
    'may not have the id %j',
    (id) => {
      const problem = 'expected 1 to 128 of A-Z a-z 0-9 _ . ~ - and not an integer, "." or ".."';
      expect(messages({ id })).toEqual([`id: ${problem}`]);
    },
  );

  it('names a model in one path segment that is safe in a Redis key', () => {
    for (const name of ['digits', 'resnet-50', 'v1.2_b', '7', 'a'.repeat(64)]) {
      expect(name).toMatch(MODEL_NAME_PATTERN);
    }
    for (const name of [
      '',
      '.',
      '..',
      '-a',
      '_a',
      'a/b',
      'a:b',
      'a{b}',
      'a b',
      'a\n',
      'é',
      'a'.repeat(65),
    ]) {
      expect(name).not.toMatch(MODEL_NAME_PATTERN);
    }
  });

  it('may have metadata that can be written again, up to a size', () => {
    const fits = 'm'.repeat(MAX_METADATA_BYTES - '{"m":""}'.length);
    expect(messages({ metadata: { m: fits } })).toEqual([]);
    expect(messages({ metadata: { m: `${fits}é` } })).toEqual([
      'metadata: got 4098 bytes of JSON, expected at most 4096',
    ]);
    const refused =
      'metadata: expected integers within 2^53 (write larger ones as strings) and less nesting';
    expect(messages({ metadata: { deep: [9007199254740993n] } })).toEqual([refused]);
    const nested = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    expect(messages({ metadata: { nested } })).toEqual([refused]);
  });
});
