import type { ErrorCode } from '@quern/contract';
import type { LoadedModel, RunnerModel } from '../runner/runner-model.ts';
import type { RawTensor } from './ort-tensors.ts';

/** From the runner's main thread to its session thread. */
export type ToSession =
  | { readonly kind: 'run'; readonly task: SessionTask }
  | { readonly kind: 'control'; readonly sequence: number; readonly rows: number }
  | { readonly kind: 'release' };

/** One run: inputs whose buffers are handed over, and the outputs to give back. */
export interface SessionTask {
  readonly sequence: number;
  readonly inputs: readonly RawTensor[];
  readonly outputs: readonly string[];
}

/** From the session thread to the runner's main thread. */
export type FromSession =
  | { readonly kind: 'loaded'; readonly loaded: LoadedModel }
  | { readonly kind: 'load-failed'; readonly error: PlainError }
  | {
      readonly kind: 'ran';
      readonly sequence: number;
      readonly outputs: readonly RawTensor[];
      readonly inferenceMs: number;
    }
  | { readonly kind: 'run-failed'; readonly sequence: number; readonly error: PlainError };

/** What the session thread is started with. */
export interface SessionStart {
  readonly model: RunnerModel;
  /** The file descriptor that takes a mark before and after each run. */
  readonly marksFd: number;
}

/** A catalogue error on its way between threads and processes. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
}
