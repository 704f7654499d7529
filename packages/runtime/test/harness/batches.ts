import {
  arrangeRows,
  decodeTensors,
  encodeTensors,
  type ModelSignature,
  type Tensor,
} from '@quern/contract';
import { finishBatch } from '../../src/runner/finish-batch.ts';
import { prepareBatch } from '../../src/runner/prepare-batch.ts';
import type { RunnerBatch } from '../../src/runner/runner-batch.ts';
import type { LoadedSession } from '../../src/session/load-session.ts';

const NO_STORE = {
  read: async (keys: readonly string[]) => keys.map(() => null),
  write: async () => [],
  close: async () => {},
};

export interface RanBatch {
  /** Per entry its outputs, or its error's message. */
  readonly answers: (Tensor[] | string)[];
  readonly paddingRatio: number;
}

/** Checked inputs as the API makes them: in the signature's order, with the masks that were left out. */
export function arranged(tensors: readonly Tensor[], signature: ModelSignature) {
  const given = signature.inputs.map(({ name }) => tensors.find((item) => item.name === name));
  return arrangeRows(given, signature, 'input');
}

/** Takes entries through a batch as a runner does: decode, stack, run, take apart. */
export async function runBatch(
  session: LoadedSession,
  entries: readonly (readonly Tensor[])[],
  lane?: string,
): Promise<RanBatch> {
  const { signature } = session.loaded;
  const batch: RunnerBatch = {
    batchId: 'b',
    inlineResultBytes: 2 ** 20,
    ...(lane !== undefined && { lane }),
    entries: entries.map((given, index) => {
      const { tensors, rows } = arranged(given, signature);
      const input = { inline: encodeTensors(tensors) };
      return { id: String(index), rows, input, resultKey: 'none' };
    }),
  };
  const prepared = await prepareBatch(batch, signature, NO_STORE);
  const outputs =
    prepared.running.length === 0 ? [] : await session.run(prepared.inputs, prepared.outputs, 1);
  const { outcomes } = await finishBatch(batch, prepared, outputs, signature, NO_STORE);
  const answers = outcomes.map((outcome) => {
    if (!outcome.ok) return outcome.error.message;
    if (!('inline' in outcome.result)) throw new Error('the result is larger than the test allows');
    return decodeTensors(outcome.result.inline);
  });
  return { answers, paddingRatio: prepared.paddingRatio };
}

/** Each entry in a run of its own, with its exact shape. */
export async function runAlone(
  session: LoadedSession,
  entries: readonly (readonly Tensor[])[],
): Promise<RanBatch['answers']> {
  const answers: RanBatch['answers'] = [];
  for (const entry of entries) answers.push(...(await runBatch(session, [entry])).answers);
  return answers;
}

/** Answers as plain numbers, rounded to what kernels of different shapes agree on. */
export function rounded(answers: RanBatch['answers']): unknown {
  return answers.map((answer) =>
    typeof answer === 'string'
      ? answer
      : answer.map(({ name, shape, data }) => {
          const values = [...new Float32Array(data.slice().buffer)];
          return { name, shape, values: values.map((value) => Number(value.toFixed(3)) + 0) };
        }),
  );
}
