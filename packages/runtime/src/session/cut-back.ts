import { type CutBack, cutExtent, type Padding, type Tensor } from '@quern/contract';
import { configProblem } from '../repository/config-positions.ts';
import type { RunnerModel } from '../runner/runner-model.ts';
import type { RawTensor } from './ort-tensors.ts';

/** How far one output of one entry goes along one axis; what lies behind is padding's. */
export interface OutputCut {
  readonly output: string;
  readonly axis: number;
  readonly extent: number;
  /** What the axis must have after the run; else `cutBack` is wrong about the model. */
  readonly paddedExtent: number;
}

/** The shapes of inputs by name, in whatever form they are held. */
type InputShapes = readonly Pick<Tensor, 'name' | 'shape'>[];

/**
 * What to cut off the outputs of an entry that was padded.
 * @param own the entry's shapes as they came
 * @param padded the shapes as they ran
 */
export function outputCuts(padding: Padding, own: InputShapes, padded: InputShapes): OutputCut[] {
  return padding.cutBack.flatMap((cut) => {
    const extent = followed(cut, own);
    const paddedExtent = followed(cut, padded);
    if (extent === paddedExtent) return [];
    return [{ output: cut.output, axis: cut.axis, extent, paddedExtent }];
  });
}

/**
 * Throws if an output of a warm-up run has not the length that model.yaml says.
 * @throws QuernError `CONFIG_INVALID`
 */
export function assertCutBacks(
  padding: Padding | undefined,
  inputs: InputShapes,
  outputs: readonly RawTensor[],
  model: RunnerModel,
): void {
  for (const cut of padding?.cutBack ?? []) {
    const found = outputs.find(({ name }) => name === cut.output)?.shape[cut.axis];
    const expected = followed(cut, inputs);
    if (found === expected) continue;
    const { input, axis } = cut.like;
    const extent = inputs.find(({ name }) => name === input)?.shape[axis];
    throw configProblem(
      model.configPositions,
      `outputs.${cut.output}.cutBack.${cut.axis}`,
      `the warm-up gave ${found ?? 'no such axis'} where ${input}.${axis} was ${extent}, expected ${expected} (${extent} x ${cut.ratio}, rounded ${cut.round}); mend ratio and round`,
    );
  }
}

function followed(cut: CutBack, inputs: InputShapes): number {
  const { input, axis } = cut.like;
  return cutExtent(cut, inputs.find(({ name }) => name === input)?.shape[axis] ?? 0);
}
