import type { Datatype, ElementArray, FieldKind, TensorSpec } from '@quern/contract';

/**
 * What a model's own module exports. Types for its author alone:
 *
 *     // handler.mjs
 *     \/** @type {import('@quern/runtime').PreprocessHandler} *\/
 *     export const preprocess = {
 *       fields: { text: 'text' },
 *       inputs: ['x'],
 *       run: ({ text }) => ({ x: { shape: [text.length, 1], data: Float32Array.from(text, length) } }),
 *     };
 *
 * The module runs in the runner's process, entry by entry, and may keep what `load` gave it. What a hook
 * throws is the error of that entry; one that does not end is ended with its runner by `runTimeoutMs`.
 */
export interface HandlerModule<State = unknown> {
  /** Called once for each runner, before any entry; what it returns comes to each hook. */
  load?(context: HandlerContext): State | Promise<State>;
  readonly preprocess?: PreprocessHandler<State>;
  readonly postprocess?: PostprocessHandler<State>;
}

/** What is known when a module is loaded. */
export interface HandlerContext {
  /** Absolute. */
  readonly modelFolder: string;
  /** `settings` of the step in `model.yaml`. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly sessionInputs: readonly TensorSpec[];
  /** The lines of `labels.txt`. */
  readonly labels: readonly string[] | undefined;
}

/** A value that a caller sent in a field: the file's bytes, the text, or the record. */
export type FieldValue = Uint8Array | string | Readonly<Record<string, unknown>>;

/** A tensor as handlers read it: a typed array (FP16 as its bits, a Uint16Array), or byte strings for BYTES. */
export interface HandlerTensor {
  readonly shape: readonly number[];
  readonly data: ElementArray | readonly Uint8Array[];
}

/** A tensor as handlers make it; strings are written as UTF-8. */
export interface MadeTensor {
  readonly shape: readonly number[];
  readonly data: ElementArray | readonly (string | Uint8Array)[];
}

/** Makes session inputs of what callers send. */
export interface PreprocessHandler<State = unknown> {
  /** What callers send: names, and of what kind. */
  readonly fields: Readonly<Record<string, FieldKind>>;
  /** The session inputs that it makes. */
  readonly inputs: readonly string[];
  /**
   * @param fields for each field a value for each row; byte arrays must not be changed
   * @returns each of `inputs`, in the session's datatype, rows on its batch axis
   */
  run(
    fields: Readonly<Record<string, readonly FieldValue[]>>,
    state: State,
  ): MadeTensors | Promise<MadeTensors>;
}

/** Makes other outputs of a prediction's outputs. */
export interface PostprocessHandler<State = unknown> {
  /** All outputs that callers read. */
  readonly outputs: Readonly<Record<string, OutputSpec>>;
  /**
   * @param outputs those of the session, or of the step before, cut back to the entry's own rows
   * @returns each of `PostprocessHandler.outputs`
   */
  run(
    outputs: Readonly<Record<string, HandlerTensor>>,
    state: State,
  ): MadeTensors | Promise<MadeTensors>;
}

/** Datatype and shape of an output; -1 for what differs, rows first. */
export interface OutputSpec {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

export type MadeTensors = Readonly<Record<string, MadeTensor>>;
