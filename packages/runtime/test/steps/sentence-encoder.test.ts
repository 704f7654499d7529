import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { entry, floats, launch, outputsOf } from '../harness/runners.ts';
import { field, steppedModel } from '../harness/steps.ts';

const YAML = `
inputs:
  input_ids: {padding: {1: {buckets: [8, 16]}}}
  attention_mask: {maskOf: input_ids}
outputs:
  last_hidden_state: {cutBack: {1: {like: input_ids.1}}}
preprocess:
  - text: {tokenizer: tokenizer.json}
postprocess: [pooling]
`;

const TOKENIZER = fileURLToPath(new URL('../fixtures/tokenizers/wordpiece', import.meta.url));

/** Ids that Hugging Face's library gives, and the frequencies of the fixture. */
const UNHAPPINESS = [2, 103, 83, 123, 56, 3];
const FREQUENCIES = [0.1, 0.27, 0.44];

test('a sentence encoder gives texts of one batch the vectors that they have alone', async () => {
  const { runner } = launch(steppedModel('token-vectors', YAML, { modelFolder: TOKENIZER }));
  const { signature } = await runner.ready;
  expect(signature.outputs).toMatchObject([{ name: 'embedding', shape: [-1, 3] }]);
  const texts = [['unhappiness'], ['What waits?', 'Queues hold what waits'], [''], ['full']];
  const entries = texts.map((rows, index) =>
    entry(`e${index}`, rows.length, [field('text', rows)]),
  );
  const together = await runner.run({ batchId: 'together', entries });
  // All but the longest were filled up to share a run.
  expect(together.paddingRatio).toBeGreaterThan(0);
  for (const [index, rows] of texts.entries()) {
    const vectors = floats(outputsOf(together, index)[0]);
    expect(vectors).toHaveLength(rows.length * 3);
    for (const [row, text] of rows.entries()) {
      const one = [entry('alone', 1, [field('text', [text])])];
      const alone = floats(outputsOf(await runner.run({ batchId: 'alone', entries: one }))[0]);
      expectNear(vectors.slice(row * 3, row * 3 + 3), alone);
    }
  }
  const sums = FREQUENCIES.map((frequency) =>
    UNHAPPINESS.reduce((sum, id) => sum + Math.sin(id * frequency), 0),
  );
  const length = Math.hypot(...sums);
  expectNear(
    floats(outputsOf(together)[0]),
    sums.map((sum) => sum / length),
  );
});

function expectNear(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [index, value] of expected.entries()) expect(actual[index]).toBeCloseTo(value, 5);
}
