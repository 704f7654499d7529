import type { ErrorCode } from '@quern/contract';

/** Several predictions of one lane that run together. */
export interface RunnerBatch {
  readonly batchId: string;
  readonly entries: readonly RunnerEntry[];
  /**
   * The lane that every entry is padded to, as `formatLane` writes it. Left out, the entries run with
   * their exact shapes, which must then be equal but for the rows.
   */
  readonly lane?: string;
  /** Results of at most this many bytes come back inline, larger ones are stored. Default 4096. */
  readonly inlineResultBytes?: number;
  /**
   * Runs the input of the warm-up, which this model has run before, instead of entries (there are none):
   * if even that fails, the fault is the model's. Without `LoadedModel.canControl` nothing is run.
   */
  readonly control?: true;
  /** Rows of a control run; to see how long they take. Default 1. */
  readonly controlRows?: number;
}

/** One prediction of a batch. */
export interface RunnerEntry {
  readonly id: string;
  /** The extent of its inputs along their batch axes; 1 where the model is not batchable. */
  readonly rows: number;
  readonly input: RunnerInput;
  /** Set if the entry is a part of a prediction: its input is the whole one's. */
  readonly rowRange?: RowRange;
  /** The key that a result too large to come back inline is stored under. */
  readonly resultKey: string;
  /** The outputs wanted; all of them by default. */
  readonly outputs?: readonly string[];
}

/** Tensors as `encodeTensors` writes them, or the key of a payload that holds them. */
export type RunnerPayload = { readonly inline: Uint8Array } | { readonly key: string };

/**
 * `parts` are the results of a prediction's parts, in the order of their rows. They are put together
 * into one result, without a run; such an entry is a batch of its own.
 */
export type RunnerInput = RunnerPayload | { readonly parts: readonly RunnerPayload[] };

/** Which rows of an input a part has; `RunnerEntry.rows` says how many. */
export interface RowRange {
  readonly first: number;
  /** Rows of the whole input. */
  readonly of: number;
}

/** Tensors as `encodeTensors` writes them, here or in the payload store. */
export type RunnerResult =
  | { readonly inline: Uint8Array }
  | { readonly key: string; readonly bytes: number };

/** How one entry ended. */
export type RunnerOutcome =
  | { readonly id: string; readonly ok: true; readonly result: RunnerResult }
  | { readonly id: string; readonly ok: false; readonly error: EntryError };

export interface EntryError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
}

/** One outcome per entry, in the order of the batch, and where the time went. */
export interface RunnerBatchResult {
  readonly outcomes: readonly RunnerOutcome[];
  /** Reading payloads, decoding and putting rows together. */
  readonly collateMs: number;
  /** The run itself; 0 if no entry was left to run. */
  readonly inferenceMs: number;
  /** Taking the rows apart and encoding them. */
  readonly splitMs: number;
  /** Writing large results. */
  readonly storeMs: number;
  /** The share of the inputs' elements that padding added, from 0 to 1; 0 without padding. */
  readonly paddingRatio: number;
}

export const DEFAULT_INLINE_RESULT_BYTES = 4096;
