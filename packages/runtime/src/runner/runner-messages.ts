import type { PlainError } from '../session/session-messages.ts';
import type { PackedBatch, PackedResult } from './message-packing.ts';
import type { LoadedModel, RunnerModel } from './runner-model.ts';

/** From the parent to the runner's process. `sequence` counts runs from 1. */
export type ToRunner =
  | { readonly kind: 'load'; readonly model: RunnerModel }
  | { readonly kind: 'run'; readonly sequence: number; readonly batch: PackedBatch }
  | { readonly kind: 'close' };

/** From the runner's process to the parent. */
export type FromRunner =
  | { readonly kind: 'loaded'; readonly loaded: LoadedModel; readonly rssBytes: number }
  /** Resident memory of the runner's process, now and then. */
  | { readonly kind: 'memory'; readonly rssBytes: number }
  | { readonly kind: 'load-failed'; readonly error: PlainError }
  | { readonly kind: 'ran'; readonly sequence: number; readonly result: PackedResult }
  | {
      readonly kind: 'run-failed';
      readonly sequence: number;
      readonly error: PlainError;
      /** False if the fault came before the model ran, and will pass. */
      readonly started: boolean;
    };
