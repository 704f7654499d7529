import type { Datatype } from './datatypes.ts';
import { badAnswer } from './errors.ts';
import { isRecord } from './prediction.ts';

/** `offline`: no live worker serves it; its predictions wait. */
export type ModelState = 'ready' | 'loading' | 'unhealthy' | 'unloading' | 'unloaded' | 'offline';

export interface TensorInfo {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 marks a dynamic dimension. */
  readonly shape: readonly number[];
  /** NaN and infinities are accepted. */
  readonly allowNonFinite?: boolean;
  /** The axis that counts rows, where it is not axis 0; null: all rows share it. */
  readonly batchAxis?: number | null;
  /** May be left out: it is then 1 where that input is real, and 0 where it is padded. */
  readonly maskOf?: string;
  /** What the elements are, where the model has steps of its own: see `FieldInfo`. */
  readonly field?: FieldInfo;
}

/**
 * A field: for each row a string (`text`), an object (`record`), or a file as data URL, base64 or URL
 * (`image`, `audio`, `bytes`).
 */
export interface FieldInfo {
  readonly kind: 'image' | 'audio' | 'bytes' | 'text' | 'record';
  readonly description?: string;
  readonly maxBytes?: number;
}

export interface VersionInfo {
  readonly version: string;
  readonly state: ModelState;
  /** Why it is not ready. */
  readonly reason?: string;
  /** Null while no worker has read the model's file. */
  readonly inputs: readonly TensorInfo[] | null;
  readonly outputs: readonly TensorInfo[] | null;
  /** The most rows of one prediction; null if axis 0 does not count rows. */
  readonly maxRows: number | null;
  readonly labels?: readonly string[];
  readonly executionProviders: readonly string[];
  readonly instances: number;
}

/** A model as the API shows it; a newer API may say more. */
export interface ModelInfo {
  readonly name: string;
  readonly description?: string;
  readonly license?: string;
  readonly origin?: string;
  /** The best of its versions. */
  readonly state: ModelState;
  readonly problems?: readonly string[];
  /** Newest first. */
  readonly versions: readonly VersionInfo[];
  readonly liveWorkers: number;
  readonly batching: {
    readonly mode: 'auto' | 'fixed' | 'off';
    readonly maxBatchSize: number;
    readonly maxQueueDelayMs: number;
  };
  readonly queue: {
    readonly waiting: number;
    readonly active: number;
    readonly oldestWaitingMs: number | null;
    readonly maxSize: number;
    readonly timeoutMs: number | null;
    readonly attempts: number;
  };
  readonly stats: {
    readonly predictionsPerSecond: number;
    readonly rowsPerSecond: number;
    readonly batches: number;
    readonly rows: number;
    readonly failed: number;
    readonly meanBatchRows: number;
    readonly meanInferenceMs: number;
    readonly meanQueueMs: number;
  };
}

/**
 * Reads the API's model object: the same with names in camelCase.
 * @throws ConnectionError `BAD_ANSWER` if it is none
 */
export function modelFromWire(wire: unknown): ModelInfo {
  if (!isRecord(wire) || typeof wire['name'] !== 'string' || !Array.isArray(wire['versions'])) {
    throw badAnswer('model', 'expected an object with name and versions');
  }
  return camelKeys(wire) as ModelInfo;
}

/** No key here is a name of somebody's own, so that all of them may be changed. */
function camelKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelKeys);
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).map(([key, item]) => [
    key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    camelKeys(item),
  ]);
  return Object.fromEntries(entries);
}
