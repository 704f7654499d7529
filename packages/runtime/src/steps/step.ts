import type { Field, QuernError, Tensor, TensorSpec } from '@quern/contract';

/**
 * Steps before and after a model's session, declared in `model.yaml`. They are loaded once for each
 * runner and run in its main thread, entry by entry, beside the session's own thread:
 *
 *     fields --preprocess steps--> session inputs --(batch, run, split)--> outputs --postprocess steps--> outputs
 *
 * A new kind of step is a schema and a loader in `step-registry.ts`.
 */
export interface StepContext {
  /** The model's folder, absolute; files that a step names lie in it. */
  readonly modelFolder: string;
  /** What the session takes. */
  readonly sessionInputs: readonly TensorSpec[];
  /** The lines of `labels.txt`, if the model has one. */
  readonly labels: readonly string[] | undefined;
  /**
   * A `CONFIG_INVALID` error that names the place in `model.yaml`.
   * @param key below the step's own settings; '' for the step itself
   */
  readonly problem: (key: string, message: string) => QuernError;
}

/** A field by its name: what callers send in place of session inputs. */
export interface InputField {
  readonly name: string;
  readonly field: Field;
}

/** Makes session inputs of what callers send. */
export interface PreprocessStep {
  /** The kind, as messages name it. */
  readonly name: string;
  readonly fields: readonly InputField[];
  /**
   * The session inputs that it makes. Checked against the session when the model is loaded: datatype,
   * rank, and each extent that both sides fix.
   */
  readonly produces: readonly TensorSpec[];
  /**
   * @param elements for each of `fields` one element per row, as views that must not be changed
   * @returns a tensor for each of `produces`, rows on its batch axis. Rows of one entry that differ in
   *   length are the step's to bring to one length; entries that differ are padded by the runner, where
   *   `model.yaml` pads, and run apart otherwise
   * @throws anything; the entry fails with `PREPROCESS_FAILED` and the message
   */
  run(elements: readonly (readonly Uint8Array[])[]): Promise<readonly Tensor[]> | readonly Tensor[];
}

/** What a postprocess step is loaded with. */
export interface PostprocessContext extends StepContext {
  /** The outputs that come to this step: the session's, or those of the step before. */
  readonly outputs: readonly TensorSpec[];
}

/** One entry's own part of a run. */
export interface EntryRun {
  readonly rows: number;
  /** The entry's session inputs, without what padding added. */
  readonly inputs: readonly Tensor[];
}

/** Makes other outputs of a prediction's outputs. */
export interface PostprocessStep {
  readonly name: string;
  /** All outputs behind this step, those that it passes on unchanged included. */
  readonly outputs: readonly TensorSpec[];
  /**
   * @param outputs as `PostprocessContext.outputs` says, cut back to the entry's own rows and lengths
   * @returns a tensor for each of `PostprocessStep.outputs`, in any order
   * @throws anything; the entry fails with `POSTPROCESS_FAILED` and the message
   */
  run(outputs: readonly Tensor[], entry: EntryRun): Promise<readonly Tensor[]> | readonly Tensor[];
}
