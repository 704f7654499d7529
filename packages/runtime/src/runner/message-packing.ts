import type {
  EntryError,
  RunnerBatch,
  RunnerBatchResult,
  RunnerEntry,
  RunnerOutcome,
  RunnerPayload,
} from './runner-batch.ts';

/**
 * How batches and their results cross between the processes. Node's serializer is quick with strings
 * and numbers but takes each byte array through JavaScript, which for small tensors costs more than
 * the rest of the message: so entries travel as columns, and all their bytes as one array.
 */
export interface PackedBatch {
  readonly batchId: string;
  readonly lane?: string;
  readonly inlineResultBytes?: number;
  readonly control?: true;
  readonly controlRows?: number;
  readonly ids: readonly string[];
  readonly rows: readonly number[];
  readonly resultKeys: readonly string[];
  /** Per entry its input, or those of its parts. */
  readonly inputs: readonly (PackedInput | readonly PackedInput[])[];
  /** The inline inputs, one right after the other. */
  readonly inline: Uint8Array;
  /** Left out if every entry wants all outputs. */
  readonly outputs?: readonly RunnerEntry['outputs'][];
  /** Left out if no entry is a part. */
  readonly rowRanges?: readonly RunnerEntry['rowRange'][];
}

/** The byte length of inline tensors, or the key of stored ones. */
type PackedInput = number | string;

/** A result without what the sender of the batch knows: the ids, and the keys to store results under. */
export interface PackedResult extends Omit<RunnerBatchResult, 'outcomes'> {
  /** Per entry the byte length of its inline result, or what came instead of one. */
  readonly results: readonly (number | StoredResult | EntryError)[];
  /** The inline results, one right after the other. */
  readonly inline: Uint8Array;
}

interface StoredResult {
  readonly storedBytes: number;
  /** Where it lies, if that is not the key of its entry. */
  readonly storedKey?: string;
}

export function packBatch({ entries, ...head }: RunnerBatch): PackedBatch {
  const inline: Uint8Array[] = [];
  const pack = (input: RunnerPayload): PackedInput => {
    if ('key' in input) return input.key;
    inline.push(input.inline);
    return input.inline.byteLength;
  };
  const inputs = entries.map(({ input }) =>
    'parts' in input ? input.parts.map(pack) : pack(input),
  );
  const hasParts = entries.some((entry) => entry.rowRange !== undefined);
  const choosesOutputs = entries.some((entry) => entry.outputs !== undefined);
  return {
    ...head,
    ids: entries.map((entry) => entry.id),
    rows: entries.map((entry) => entry.rows),
    resultKeys: entries.map((entry) => entry.resultKey),
    inputs,
    inline: Buffer.concat(inline),
    ...(choosesOutputs && { outputs: entries.map((entry) => entry.outputs) }),
    ...(hasParts && { rowRanges: entries.map((entry) => entry.rowRange) }),
  };
}

/** The batch as it was; its inline inputs are views into the one array. */
export function unpackBatch(packed: PackedBatch): RunnerBatch {
  const { ids, rows, resultKeys, inputs, inline, outputs, rowRanges, ...head } = packed;
  const take = viewsInOrder(inline);
  const unpack = (input: PackedInput): RunnerPayload =>
    typeof input === 'string' ? { key: input } : { inline: take(input) };
  const entries = ids.map((id, index): RunnerEntry => {
    const input = inputs[index] ?? 0;
    const wanted = outputs?.[index];
    const rowRange = rowRanges?.[index];
    return {
      id,
      rows: rows[index] ?? 0,
      input: typeof input === 'object' ? { parts: input.map(unpack) } : unpack(input),
      resultKey: resultKeys[index] ?? '',
      ...(wanted !== undefined && { outputs: wanted }),
      ...(rowRange !== undefined && { rowRange }),
    };
  });
  return { ...head, entries };
}

/** @param entries those of the batch */
export function packResult(
  { outcomes, ...times }: RunnerBatchResult,
  entries: readonly RunnerEntry[],
): PackedResult {
  const inline: Uint8Array[] = [];
  const results = outcomes.map((outcome, index) => {
    if (!outcome.ok) return outcome.error;
    if ('key' in outcome.result) {
      const { key, bytes } = outcome.result;
      return { storedBytes: bytes, ...(key !== entries[index]?.resultKey && { storedKey: key }) };
    }
    inline.push(outcome.result.inline);
    return outcome.result.inline.byteLength;
  });
  return { ...times, results, inline: Buffer.concat(inline) };
}

/**
 * The result as it was; its inline results are views into the one array.
 * @param entries those of the batch
 */
export function unpackResult(
  { results, inline, ...times }: PackedResult,
  entries: readonly RunnerEntry[],
): RunnerBatchResult {
  const take = viewsInOrder(inline);
  const outcomes = entries.map(({ id, resultKey }, index): RunnerOutcome => {
    const result = results[index] ?? 0;
    if (typeof result === 'number') return { id, ok: true, result: { inline: take(result) } };
    if ('code' in result) return { id, ok: false, error: result };
    return {
      id,
      ok: true,
      result: { key: result.storedKey ?? resultKey, bytes: result.storedBytes },
    };
  });
  return { ...times, outcomes };
}

/** Takes an array apart from its start, a length at a time. */
function viewsInOrder({ buffer, byteOffset }: Uint8Array): (byteLength: number) => Uint8Array {
  let offset = byteOffset;
  return (byteLength) => {
    const view = new Uint8Array(buffer, offset, byteLength);
    offset += byteLength;
    return view;
  };
}
