import { batchAxisOf, formatShape, type Tensor, type TensorSpec } from '@quern/contract';
import { numberTensor } from '../number-tensor.ts';
import { replaceOutput, replaceSpec } from '../replace-output.ts';
import { floatOutput, floatsOf, isFloat } from '../scores/float-output.ts';
import type { EntryRun, PostprocessContext, PostprocessStep } from '../step.ts';
import type { PoolingConfig } from './pooling-config.ts';

const USUAL_MASK = 'attention_mask';

/**
 * The step `pooling`: vectors `[rows, tokens, size]` become one for each row, `[rows, size]`, as sentence
 * encoders use them. Without a mask every token counts.
 * @throws QuernError `CONFIG_INVALID` if output or mask have another rank
 */
export function loadPoolingStep(
  config: PoolingConfig,
  context: PostprocessContext,
): PostprocessStep {
  const spec = floatOutput(config.output, context);
  const { name, shape, datatype } = spec;
  if (shape.length !== 3 || batchAxisOf(spec) !== 0) {
    throw context.problem(
      'output',
      `reads [rows,tokens,size], but ${name} is ${formatShape(shape)}`,
    );
  }
  const mask = maskName(config, context);
  const made: TensorSpec = { name: config.name, datatype, shape: [shape[0] ?? -1, shape[2] ?? -1] };
  return {
    name: 'pooling',
    outputs: replaceSpec(spec, [made], context),
    run: (outputs, entry) => replaceOutput(outputs, name, (tensor) => [pool(tensor, entry)]),
  };

  function pool(tensor: Tensor, entry: EntryRun): Tensor {
    const [rows = 0, tokens = 0, size = 0] = tensor.shape;
    const vectors = floatsOf(tensor);
    const counts = mask === undefined ? undefined : maskOf(entry, mask, rows * tokens);
    const pooled = new Float64Array(rows * size);
    for (let row = 0; row < rows; row++) {
      const into = pooled.subarray(row * size, (row + 1) * size);
      const own = {
        vectors: vectors.subarray(row * tokens * size, (row + 1) * tokens * size),
        size,
      };
      poolRow(own, counts?.subarray(row * tokens, (row + 1) * tokens), config.mode, into);
      if (config.normalize) toLengthOne(into);
    }
    const float = isFloat(tensor.datatype) ? tensor.datatype : 'FP32';
    return numberTensor(config.name, float, [rows, size], pooled);
  }
}

function maskName({ mask }: PoolingConfig, context: PostprocessContext): string | undefined {
  const spec = context.sessionInputs.find(({ name }) => name === (mask ?? USUAL_MASK));
  if (spec === undefined && mask === undefined) return undefined;
  if (spec?.shape.length === 2 && spec.datatype !== 'BYTES') return spec.name;
  const got = spec === undefined ? 'no input' : `${spec.datatype} ${formatShape(spec.shape)}`;
  throw context.problem('mask', `${mask ?? USUAL_MASK} is ${got}, expected numbers [rows,tokens]`);
}

/** 1 for each token that counts. */
function maskOf({ inputs }: EntryRun, name: string, expected: number): Uint8Array {
  const tensor = inputs.find((input) => input.name === name);
  const elements = tensor?.shape.reduce((product, extent) => product * extent, 1) ?? 0;
  if (tensor === undefined || elements !== expected) {
    throw new Error(
      `the mask ${name} has ${elements} elements, expected ${expected}, one for each token; where model.yaml pads, it also needs cutBack for the output`,
    );
  }
  const bytes = tensor.data.byteLength / Math.max(1, elements);
  return Uint8Array.from({ length: elements }, (_, i) =>
    Number(tensor.data.subarray(i * bytes, (i + 1) * bytes).some((byte) => byte !== 0)),
  );
}

interface TokenVectors {
  readonly vectors: Float64Array;
  readonly size: number;
}

/** A row of which no token counts becomes zeros. */
function poolRow(
  { vectors, size }: TokenVectors,
  counts: Uint8Array | undefined,
  mode: PoolingConfig['mode'],
  into: Float64Array,
): void {
  const tokens = mode === 'cls' ? Math.min(1, vectors.length / size) : vectors.length / size;
  let counted = 0;
  for (let token = 0; token < tokens; token++) {
    if (mode !== 'cls' && counts?.[token] === 0) continue;
    counted += 1;
    for (let i = 0; i < size; i++) {
      const value = vectors[token * size + i] ?? 0;
      const before = into[i] ?? 0;
      into[i] = mode === 'max' && counted > 1 ? Math.max(before, value) : before + value;
      if (mode === 'max' && counted === 1) into[i] = value;
    }
  }
  if (mode === 'mean' && counted > 0)
    for (let i = 0; i < size; i++) into[i] = (into[i] ?? 0) / counted;
}

function toLengthOne(vector: Float64Array): void {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  if (length === 0) return;
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) / length;
}
