import { InferenceSession, Tensor } from 'onnxruntime-node';

const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64];
const MIN_RUNS = 5;

/**
 * ONNX Runtime alone, in this process, with one thread.
 * @returns rows per second by batch size, each measured for about `budgetMs`
 */
export async function rawRowsPerSecond(
  model: Uint8Array,
  input: { name: string; values: number },
  budgetMs: number,
): Promise<Map<number, number>> {
  const session = await InferenceSession.create(model, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
  });
  const results = new Map<number, number>();
  for (const rows of BATCH_SIZES) {
    const data = Float32Array.from({ length: rows * input.values }, (_, i) => (i % 17) / 17);
    const feeds = { [input.name]: new Tensor('float32', data, [rows, input.values]) };
    await session.run(feeds);
    const startedAtMs = performance.now();
    let runs = 0;
    while (runs < MIN_RUNS || performance.now() - startedAtMs < budgetMs) {
      await session.run(feeds);
      runs += 1;
    }
    results.set(rows, (rows * runs * 1000) / (performance.now() - startedAtMs));
  }
  await session.release();
  return results;
}
