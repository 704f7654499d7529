import { writeOnnx } from './onnx-writer.ts';

/** An image as vision models take it: 602 KB of FP32. */
export const IMAGE_SHAPE: readonly number[] = [3, 224, 224];

/** The mean of each channel: a large input, a small output and next to no run between them. */
export function imageMean(): Uint8Array {
  return writeOnnx({
    name: 'image-mean',
    nodes: [{ op_type: 'GlobalAveragePool', input: ['x'], output: ['y'] }],
    weights: [],
    inputs: [{ name: 'x', shape: ['rows', ...IMAGE_SHAPE] }],
    outputs: [{ name: 'y', shape: ['rows', 3, 1, 1] }],
  });
}
