import { type JobData, type JobResult, jobDataSchema, jobResultSchema } from '@quern/queue';

/**
 * What the board shows of a job instead of what is in it: the lists are sent again at every poll, so
 * tensors never go along, and nothing is longer than a few kilobytes.
 */
const MAX_SUMMARY_LENGTH = 8192;
const MAX_FOREIGN_LENGTH = 2048;
const MAX_TITLE_LENGTH = 200;

/** The data of a job, in the words and units of people. */
export function summarizeData(data: unknown): unknown {
  const parsed = jobDataSchema.safeParse(data);
  if (!parsed.success) return shorten(data, MAX_FOREIGN_LENGTH);
  return shorten(describeData(parsed.data), MAX_SUMMARY_LENGTH);
}

function describeData(data: JobData): Record<string, unknown> {
  const { deadlineAtMs, metadata, outputs, input } = data;
  return {
    model: data.model,
    version: data.version,
    rows: data.rows,
    inputs: data.shapes,
    inputSize: formatBytes(data.bytes),
    inputStored: input === undefined ? 'under a key of its own' : 'in the job',
    ...(outputs !== undefined && { outputs }),
    priority: data.priority,
    deadline: deadlineAtMs === undefined ? 'none' : isoTime(deadlineAtMs),
    ...(metadata !== undefined && { metadata }),
  };
}

/** The return value of a job: how its batch was formed, how long each step took, where the output is. */
export function summarizeResult(result: unknown): unknown {
  const parsed = jobResultSchema.safeParse(result);
  if (!parsed.success) return shorten(result, MAX_FOREIGN_LENGTH);
  return shorten(describeResult(parsed.data), MAX_SUMMARY_LENGTH);
}

function describeResult(result: JobResult): Record<string, unknown> {
  return {
    batchId: result.batchId,
    batchRows: result.batchRows,
    batchPredictions: result.batchEntries,
    batchReason: result.reason,
    queueTimeMs: rounded(result.queueTimeMs),
    collateTimeMs: rounded(result.collateTimeMs),
    inferenceTimeMs: rounded(result.inferenceTimeMs),
    splitTimeMs: rounded(result.splitTimeMs),
    storeTimeMs: rounded(result.storeTimeMs),
    executionProvider: result.executionProvider,
    ...(result.paddingRatio !== undefined && {
      padding: `${Math.round(result.paddingRatio * 100)} %`,
    }),
    ...(result.lane !== undefined && { batchLane: result.lane }),
    ...(result.reruns !== undefined && { reruns: result.reruns }),
    ...(result.parts !== undefined && { parts: result.parts }),
    started: isoTime(result.startedAtMs),
    outputSize: formatBytes(result.bytes),
    outputStored: result.outputKey === undefined ? 'in the job' : `under ${result.outputKey}`,
  };
}

interface NamedJob {
  readonly name?: string;
  readonly data?: unknown;
  readonly returnvalue?: unknown;
}

/** A job's title: `digits:1 · 2 rows · in a batch of 12 · 31.5 ms`. */
export function titleOf({ name = '', data, returnvalue }: NamedJob): string {
  const parts = [name.slice(0, MAX_TITLE_LENGTH)];
  const parsed = jobDataSchema.safeParse(data);
  if (parsed.success) parts.push(parsed.data.rows === 1 ? '1 row' : `${parsed.data.rows} rows`);
  const result = jobResultSchema.safeParse(returnvalue);
  if (result.success) {
    parts.push(`in a batch of ${result.data.batchRows}`);
    parts.push(`${rounded(result.data.inferenceTimeMs)} ms`);
  }
  return parts.join(' · ');
}

/** The value itself while its JSON is short, else the JSON's beginning and its full size. */
function shorten(value: unknown, maxLength: number): unknown {
  const json = JSON.stringify(value);
  if (json === undefined || json.length <= maxLength) return value;
  return `${json.slice(0, maxLength)}... (${formatBytes(Buffer.byteLength(json))} in all)`;
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB'] as const;

/** `732 B`, `3.1 kB`, `2.0 MB`: decimal units. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${BYTE_UNITS[power]}`;
}

function rounded(timeMs: number): number {
  return Math.round(timeMs * 100) / 100;
}

/** A time that is out of a date's range shows as it is. */
function isoTime(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString();
}
