import {
  batchAxisOf,
  concatRows,
  decodeTensors,
  encodeTensors,
  formatShape,
  type ModelSignature,
  QuernError,
  type Tensor,
  type TensorSpec,
  withRows,
} from '@quern/contract';
import type { PayloadStore } from './payload-store.ts';
import { entryError } from './read-entries.ts';
import {
  DEFAULT_INLINE_RESULT_BYTES,
  type RunnerBatch,
  type RunnerBatchResult,
  type RunnerEntry,
  type RunnerOutcome,
  type RunnerPayload,
} from './runner-batch.ts';

/** The entry of a batch that has parts to be put together; undefined for a batch that runs. */
export function assemblyOf({ entries }: RunnerBatch): RunnerEntry | undefined {
  const [entry] = entries;
  return entry !== undefined && 'parts' in entry.input ? entry : undefined;
}

/**
 * Puts the results of a prediction's parts together and stores the whole, where it is too large to come
 * back inline. Here and not in the worker: the megabytes stay out of the process that renews locks.
 */
export async function assembleParts(
  batch: RunnerBatch,
  entry: RunnerEntry,
  signature: ModelSignature,
  payloads: PayloadStore,
): Promise<RunnerBatchResult> {
  const startedAtMs = performance.now();
  const times = { collateMs: 0, inferenceMs: 0, splitMs: 0, storeMs: 0, paddingRatio: 0 };
  const { id, resultKey: key } = entry;
  try {
    const parts = await readParts(entry, payloads);
    const readAtMs = performance.now();
    const bytes = encodeTensors(joinParts(parts.map(decodeTensors), signature));
    const joinedAtMs = performance.now();
    const isSmall = bytes.byteLength <= (batch.inlineResultBytes ?? DEFAULT_INLINE_RESULT_BYTES);
    const [stored = key] = isSmall ? [] : await payloads.write([{ key, bytes, temporary: false }]);
    const outcome: RunnerOutcome = {
      id,
      ok: true,
      result: isSmall ? { inline: bytes } : { key: stored, bytes: bytes.byteLength },
    };
    return {
      ...times,
      outcomes: [outcome],
      collateMs: readAtMs - startedAtMs,
      splitMs: joinedAtMs - readAtMs,
      storeMs: performance.now() - joinedAtMs,
    };
  } catch (error) {
    return { ...times, outcomes: [{ id, ok: false, error: entryError(error) }] };
  }
}

async function readParts(
  { id, input }: RunnerEntry,
  payloads: PayloadStore,
): Promise<Uint8Array[]> {
  const parts: readonly RunnerPayload[] = 'parts' in input ? input.parts : [];
  const keys = parts.flatMap((part) => ('key' in part ? [part.key] : []));
  const stored = keys.length === 0 ? [] : await payloads.read(keys);
  let next = 0;
  return parts.map((part) => {
    const bytes = 'key' in part ? stored[next++] : part.inline;
    if (bytes instanceof QuernError) throw bytes;
    if (bytes === null || bytes === undefined) {
      throw new QuernError(
        'PAYLOAD_MISSING',
        `a part of the result of prediction ${id} is gone before it was put together`,
        { retryable: true },
      );
    }
    return bytes;
  });
}

/**
 * One set of outputs of those of all parts, joined along each output's batch axis.
 * @throws QuernError `INFERENCE_FAILED` if the parts differ in more than their rows
 */
export function joinParts(
  parts: readonly (readonly Tensor[])[],
  signature: ModelSignature,
): Tensor[] {
  const [first = []] = parts;
  return first.map((head, index) => {
    const spec = signature.outputs.find((output) => output.name === head.name);
    const rest = parts.slice(1).flatMap((part) => part[index] ?? []);
    const axis = spec === undefined ? 0 : batchAxisOf(spec);
    for (const tensor of rest) assertJoins(head, tensor, spec);
    return concatRows([head, ...rest], axis);
  });
}

function assertJoins(head: Tensor, other: Tensor, spec: TensorSpec | undefined): void {
  const axis = spec === undefined ? 0 : batchAxisOf(spec);
  const expected = axis === null ? other.shape : withRows(head.shape, axis, other.shape[axis] ?? 0);
  if (other.name === head.name && other.shape.join() === expected.join()) return;
  throw new QuernError(
    'INFERENCE_FAILED',
    `the model gave ${other.name} the shape ${formatShape(other.shape)} for some rows and ${formatShape(head.shape)} for others, so they are no one tensor; send no more rows at a time than batching.maxBatchSize`,
  );
}
