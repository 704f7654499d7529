import { deserialize, serialize } from 'node:v8';
import { ERROR_CODES } from '@quern/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RunnerBatch, RunnerBatchResult, RunnerEntry, RunnerOutcome } from '../src/index.ts';
import { packBatch, packResult, unpackBatch, unpackResult } from '../src/runner/message-packing.ts';

/** With the prototype that object literals have. */
const plain = { noNullPrototype: true };
const anyBytes = fc.uint8Array({ maxLength: 20 });

const anyPayload = fc.oneof(
  fc.record({ inline: anyBytes }, plain),
  fc.record({ key: fc.string() }, plain),
);

const anyEntry: fc.Arbitrary<RunnerEntry> = fc.record(
  {
    id: fc.string(),
    rows: fc.nat(),
    input: fc.oneof(anyPayload, fc.record({ parts: fc.array(anyPayload) }, plain)),
    rowRange: fc.record({ first: fc.nat(), of: fc.nat() }, plain),
    resultKey: fc.string(),
    outputs: fc.array(fc.string(), { maxLength: 3 }),
  },
  { requiredKeys: ['id', 'rows', 'input', 'resultKey'], ...plain },
);

const anyBatch: fc.Arbitrary<RunnerBatch> = fc.record(
  { batchId: fc.string(), entries: fc.array(anyEntry), inlineResultBytes: fc.nat() },
  { requiredKeys: ['batchId', 'entries'], ...plain },
);

function anyOutcome({ id, resultKey }: RunnerEntry): fc.Arbitrary<RunnerOutcome> {
  const error = fc.record(
    {
      code: fc.constantFrom(...ERROR_CODES),
      message: fc.string(),
      retryable: fc.boolean(),
    },
    plain,
  );
  return fc.oneof(
    anyBytes.map((inline) => ({ id, ok: true as const, result: { inline } })),
    fc
      .tuple(fc.nat(), fc.constantFrom(resultKey, `folder:${resultKey}`))
      .map(([bytes, key]) => ({ id, ok: true as const, result: { key, bytes } })),
    error.map((error) => ({ id, ok: false as const, error })),
  );
}

function anyResult(entries: readonly RunnerEntry[]): fc.Arbitrary<RunnerBatchResult> {
  const timeMs = fc.double({ min: 0, noNaN: true });
  return fc.record(
    {
      outcomes: fc.tuple(...entries.map(anyOutcome)),
      collateMs: timeMs,
      inferenceMs: timeMs,
      splitMs: timeMs,
      storeMs: timeMs,
      paddingRatio: timeMs,
    },
    plain,
  );
}

/** What the other process receives: Node's message channel serializes in the same way. */
function cross<T>(message: T): T {
  return deserialize(serialize(message));
}

test('a batch arrives as it was sent', () => {
  fc.assert(
    fc.property(anyBatch, (batch) => {
      expect(unpackBatch(cross(packBatch(batch)))).toStrictEqual(batch);
    }),
  );
});

test('a result arrives as it was sent', () => {
  const answered = fc
    .array(anyEntry)
    .chain((entries) => fc.tuple(fc.constant(entries), anyResult(entries)));
  fc.assert(
    fc.property(answered, ([entries, result]) => {
      expect(unpackResult(cross(packResult(result, entries)), entries)).toStrictEqual(result);
    }),
  );
});

test('inputs that are Buffers arrive as plain arrays with the same bytes', () => {
  const inline = Buffer.from('in the middle of a larger one').subarray(3, 13);
  const entry = { id: '1', rows: 1, input: { inline }, resultKey: 'r' };
  const { entries } = unpackBatch(cross(packBatch({ batchId: 'b', entries: [entry, entry] })));
  const expected = { inline: new Uint8Array(inline) };
  expect(entries.map(({ input }) => input)).toStrictEqual([expected, expected]);
});
