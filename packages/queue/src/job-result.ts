import { z } from 'zod';

/** How a prediction ran, and where its output is. */
export interface JobResult {
  readonly batchId: string;
  /** Rows and predictions in the batch. */
  readonly batchRows: number;
  readonly batchEntries: number;
  /** Why the batch was formed when it was. */
  readonly reason: string;
  readonly startedAtMs: number;
  readonly queueTimeMs: number;
  readonly collateTimeMs: number;
  readonly inferenceTimeMs: number;
  readonly splitTimeMs: number;
  readonly storeTimeMs: number;
  readonly executionProvider: string;
  /** Padding over all elements of the batch; absent for none. */
  readonly paddingRatio?: number | undefined;
  /** The lane of the batch, where it is not the prediction's own. */
  readonly lane?: string | undefined;
  /** Runs that it took to find the predictions at fault in its batch; absent for none. */
  readonly reruns?: number | undefined;
  /**
   * Of a prediction that ran in parts. `batchId` is then its first batch, `batchRows` and `batchEntries`
   * are those of its largest, and the times are the sums over its batches.
   */
  readonly parts?: z.infer<typeof partsSchema> | undefined;
  /** Size of the encoded output. */
  readonly bytes: number;
  /** The encoded output in base64, or the key under which it lies. */
  readonly output?: string | undefined;
  readonly outputKey?: string | undefined;
}

const partsSchema = z.object({
  count: z.number().int(),
  batches: z.number().int(),
  assembleTimeMs: z.number(),
});

/**
 * A result as it is stored and published. That is done for every prediction, and each byte costs
 * throughput: names are short, what can be told from the rest is left out, times have four digits.
 */
export const storedResultSchema = z.object({
  batch: z.string(),
  rows: z.number().int(),
  /** Absent if every prediction of the batch has one row. */
  entries: z.number().int().optional(),
  why: z.string(),
  /** When the run began, as a time stamp in ms. */
  at: z.number(),
  /** Times in ms: queue, collate, inference, split, store; zeros at the end are left out. */
  ms: z.array(z.number()).max(5),
  /** The execution provider. */
  on: z.string(),
  padding: z.number().optional(),
  lane: z.string().optional(),
  reruns: z.number().int().optional(),
  parts: partsSchema.optional(),
  /** Of an output under a key. */
  bytes: z.number().int().optional(),
  output: z.string().optional(),
  key: z.string().optional(),
});
export type StoredResult = z.infer<typeof storedResultSchema>;

/** Reads a stored result. */
export const jobResultSchema = storedResultSchema.transform(unpackResult);

/** A result as it is to be stored. */
export function packResult(result: JobResult): StoredResult {
  const { paddingRatio = 0, reruns = 0, lane, parts, output, outputKey } = result;
  const ms = [
    result.queueTimeMs,
    result.collateTimeMs,
    result.inferenceTimeMs,
    result.splitTimeMs,
    result.storeTimeMs,
  ].map(shortTime);
  return {
    batch: result.batchId,
    rows: result.batchRows,
    ...(result.batchEntries !== result.batchRows && { entries: result.batchEntries }),
    why: result.reason,
    at: Math.round(result.startedAtMs),
    ms: ms.slice(0, ms.findLastIndex((timeMs) => timeMs > 0) + 1),
    on: result.executionProvider,
    ...(paddingRatio > 0 && { padding: Number(paddingRatio.toFixed(3)) }),
    ...(lane !== undefined && { lane }),
    ...(reruns > 0 && { reruns }),
    ...(parts !== undefined && { parts }),
    ...(output === undefined ? { bytes: result.bytes } : { output }),
    ...(outputKey !== undefined && { key: outputKey }),
  };
}

/** A result as it was stored. */
export function unpackResult(stored: StoredResult): JobResult {
  const { ms, output } = stored;
  return {
    batchId: stored.batch,
    batchRows: stored.rows,
    batchEntries: stored.entries ?? stored.rows,
    reason: stored.why,
    startedAtMs: stored.at,
    queueTimeMs: ms[0] ?? 0,
    collateTimeMs: ms[1] ?? 0,
    inferenceTimeMs: ms[2] ?? 0,
    splitTimeMs: ms[3] ?? 0,
    storeTimeMs: ms[4] ?? 0,
    executionProvider: stored.on,
    bytes: stored.bytes ?? Buffer.byteLength(output ?? '', 'base64'),
    ...(stored.padding !== undefined && { paddingRatio: stored.padding }),
    ...(stored.lane !== undefined && { lane: stored.lane }),
    ...(stored.reruns !== undefined && { reruns: stored.reruns }),
    ...(stored.parts !== undefined && { parts: stored.parts }),
    ...(output !== undefined && { output }),
    ...(stored.key !== undefined && { outputKey: stored.key }),
  };
}

/** Four digits, and nothing below a microsecond. */
function shortTime(timeMs: number): number {
  return Number((Math.round(timeMs * 1000) / 1000).toPrecision(4));
}
