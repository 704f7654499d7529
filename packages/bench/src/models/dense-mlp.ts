import { type OnnxNode, writeOnnx } from './onnx-writer.ts';

/** Values per row; small enough to travel inside a job. */
export const MLP_INPUT = 256;
const HIDDEN = 2048;
const HIDDEN_LAYERS = 3;
const CLASSES = 10;

/**
 * A dense network of 36 MB: one row has to stream all its weights through the CPU's caches, and a
 * batch shares that, which is why batching pays here as on few other models.
 */
export function denseMlp(): Uint8Array {
  const sizes = [MLP_INPUT, ...Array<number>(HIDDEN_LAYERS).fill(HIDDEN), CLASSES];
  const nodes: OnnxNode[] = [];
  const weights: { name: string; shape: number[]; data: Float32Array }[] = [];
  let current = 'x';
  for (let layer = 0; layer + 1 < sizes.length; layer++) {
    const [from = 0, to = 0] = [sizes[layer], sizes[layer + 1]];
    weights.push({ name: `w${layer}`, shape: [from, to], data: pseudoRandom(from * to, layer) });
    const isLast = layer + 2 === sizes.length;
    nodes.push({
      op_type: 'MatMul',
      input: [current, `w${layer}`],
      output: [isLast ? 'y' : `m${layer}`],
    });
    if (!isLast) nodes.push({ op_type: 'Relu', input: [`m${layer}`], output: [`h${layer}`] });
    current = `h${layer}`;
  }
  return writeOnnx({
    name: 'dense-mlp',
    nodes,
    weights,
    inputs: [{ name: 'x', shape: ['rows', MLP_INPUT] }],
    outputs: [{ name: 'y', shape: ['rows', CLASSES] }],
  });
}

/** Repeatable values around zero (a linear congruential generator), scaled to keep activations small. */
function pseudoRandom(count: number, seed: number): Float32Array {
  const values = new Float32Array(count);
  let state = seed + 1;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    values[i] = (state / 2 ** 32 - 0.5) * 0.05;
  }
  return values;
}
