import {
  arrangeRows,
  assertByteLength,
  assertTensorFits,
  batchAxisOf,
  invalidInput,
  type ModelSignature,
  splitBytesElements,
  type Tensor,
  type TensorSpec,
} from '@quern/contract';
import { configProblem } from '../repository/config-positions.ts';
import type { RunnerModel } from '../runner/runner-model.ts';
import { fitInput } from '../session/collate.ts';
import type { DecodedEntry, DecodedTensor } from '../session/decoded-entry.ts';
import { wantsOutput } from '../session/split.ts';
import { outerSignature, type PlacedStep } from './outer-signature.ts';
import type { EntryRun, PostprocessStep, PreprocessStep } from './step.ts';
import { stepError } from './step-error.ts';
import { kindOf, loadPostprocessStep, loadPreprocessStep } from './step-registry.ts';

/** An entry as its session takes it. */
export interface SessionEntry extends DecodedEntry {
  /** Entries of one lane have equal shapes but for the rows. */
  readonly lane: string;
}

/** The steps of one model version, loaded. */
export class ModelSteps {
  /** What callers see. */
  readonly signature: ModelSignature;
  /** What the session takes and gives. */
  readonly session: ModelSignature;
  readonly #preprocess: readonly PreprocessStep[];
  readonly #postprocess: readonly PostprocessStep[];

  private constructor(
    session: ModelSignature,
    signature: ModelSignature,
    preprocess: readonly PreprocessStep[],
    postprocess: readonly PostprocessStep[],
  ) {
    this.session = session;
    this.signature = signature;
    this.#preprocess = preprocess;
    this.#postprocess = postprocess;
  }

  /**
   * Loads the steps that a model declares; undefined if there are none.
   * @throws QuernError `CONFIG_INVALID` with the place in `model.yaml`
   */
  static async load(model: RunnerModel, session: ModelSignature): Promise<ModelSteps | undefined> {
    const { steps } = model;
    if (steps === undefined) return undefined;
    const { modelFolder, labels } = steps;
    const shared = { modelFolder, labels, sessionInputs: session.inputs };
    const problemAt = (place: string) => (key: string, message: string) =>
      configProblem(model.configPositions, key === '' ? place : `${place}.${key}`, message);
    const before: PlacedStep<PreprocessStep>[] = [];
    for (const [index, config] of steps.preprocess.entries()) {
      const problem = problemAt(`preprocess.${index}.${kindOf(config)}`);
      before.push({ step: await loadPreprocessStep(config, { ...shared, problem }), problem });
    }
    const after: PostprocessStep[] = [];
    let outputs: readonly TensorSpec[] = session.outputs;
    for (const [index, config] of steps.postprocess.entries()) {
      const problem = problemAt(`postprocess.${index}.${kindOf(config)}`);
      const step = await loadPostprocessStep(config, { ...shared, outputs, problem });
      after.push(step);
      outputs = step.outputs;
    }
    const signature = outerSignature(session, before, outputs);
    return new ModelSteps(
      session,
      signature,
      before.map(({ step }) => step),
      after,
    );
  }

  /** Whether entries come with fields, so that only the runner knows their shapes. */
  get hasFields(): boolean {
    return this.#preprocess.length > 0;
  }

  /**
   * The session's outputs to compute: all of them where steps may read any.
   * @param wanted per entry the names of outputs; all by default
   */
  sessionOutputs(wanted: readonly (readonly string[] | undefined)[]): string[] {
    const all = this.session.outputs.map(({ name }) => name);
    if (this.#postprocess.length > 0) return all;
    return all.filter((name) => wanted.some((outputs) => wantsOutput({ rows: 0, outputs }, name)));
  }

  /**
   * The session's inputs for an entry.
   * @param entry in the order of `signature`
   * @throws QuernError `PREPROCESS_FAILED` naming the step, `INVALID_INPUT` if inputs disagree
   */
  async preprocess(entry: DecodedEntry): Promise<SessionEntry> {
    if (!this.hasFields) return { ...entry, lane: '' };
    const { rows, tensors } = entry;
    const made = [...tensors];
    for (const step of this.#preprocess) made.push(...(await this.#make(step, tensors, rows)));
    // From behind: a step may make an input of its field's name.
    const given = this.session.inputs.map(({ name }) =>
      made.findLast((item) => item.name === name),
    );
    const arranged = arrangeRows(given, this.session, 'input');
    return { rows, tensors: arranged.tensors, lane: arranged.lane };
  }

  async #make(
    step: PreprocessStep,
    tensors: readonly DecodedTensor[],
    rows: number,
  ): Promise<DecodedTensor[]> {
    const elements = step.fields.map(({ name }) => {
      const field = tensors.find((tensor) => tensor.name === name);
      return field === undefined ? [] : splitBytesElements(field.data);
    });
    try {
      const made = await step.run(elements);
      return step.produces.map(({ name }) => {
        const tensor = made.find((item) => item.name === name);
        const spec = this.session.inputs.find((item) => item.name === name);
        if (tensor === undefined || spec === undefined) throw invalidInput(name, 'was not made');
        assertByteLength(tensor, name);
        return fitInput(tensor, spec, this.session, rows);
      });
    } catch (error) {
      throw stepError('PREPROCESS_FAILED', step.name, error);
    }
  }

  /**
   * A prediction's outputs, in the order of `signature`.
   * @param outputs the session's
   * @throws QuernError `POSTPROCESS_FAILED` naming the step
   */
  async postprocess(outputs: readonly Tensor[], entry: EntryRun): Promise<readonly Tensor[]> {
    let current = outputs;
    for (const step of this.#postprocess) {
      try {
        const made = await step.run(current, entry);
        current = step.outputs.map((spec) => fitOutput(made, spec, this.session, entry.rows));
      } catch (error) {
        throw stepError('POSTPROCESS_FAILED', step.name, error);
      }
    }
    return current;
  }
}

/** The tensor that a step gave for an output, if it is what the step has announced. */
function fitOutput(
  made: readonly Tensor[],
  spec: TensorSpec,
  { batchable }: ModelSignature,
  rows: number,
): Tensor {
  const { name, datatype } = spec;
  const tensor = made.find((item) => item.name === name);
  if (tensor === undefined) throw invalidInput(name, 'was not made');
  if (tensor.datatype !== datatype) {
    throw invalidInput(name, `was made as ${tensor.datatype}, expected ${datatype}`);
  }
  assertTensorFits(tensor.shape, spec, name);
  assertByteLength(tensor, name);
  const axis = batchable ? batchAxisOf(spec) : null;
  if (axis !== null && tensor.shape[axis] !== rows) {
    throw invalidInput(name, `was made with ${tensor.shape[axis]} rows, expected ${rows}`);
  }
  return tensor;
}
