import { badAnswer } from './errors.ts';
import { outputsFromWire } from './tensor-from-wire.ts';

const STATUSES = ['starting', 'processing', 'succeeded', 'failed', 'canceled', 'expired'] as const;

/** `starting` (queued) -> `processing` -> `succeeded`, `failed`, `canceled` or `expired`, which are final. */
export type PredictionStatus = (typeof STATUSES)[number];

export interface PredictionMetrics {
  /** From acceptance to the start of its batch. */
  readonly queueTimeMs?: number;
  /** The run of its batch in ONNX Runtime. */
  readonly inferenceTimeMs?: number;
  /** From acceptance to the end. */
  readonly totalTimeMs?: number;
  /** Rows in the batch that it ran in. */
  readonly batchSize?: number;
  /** Times that a worker has started it. */
  readonly attempts: number;
}

/** A prediction as it stood when it was read. */
export interface Prediction<Output = unknown> {
  readonly id: string;
  readonly model: string;
  readonly version: string;
  readonly status: PredictionStatus;
  /** Null until it has succeeded, and when its retention has ended. */
  readonly output: Output | null;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly retryable: boolean;
  } | null;
  readonly metrics: PredictionMetrics;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  /** It expires if it has not started by then. */
  readonly expiresAt: Date | null;
  /** True if it succeeded, but its output's retention has ended. */
  readonly dataRemoved: boolean;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Whether a status is final. */
export function isTerminal(status: PredictionStatus): boolean {
  return status !== 'starting' && status !== 'processing';
}

export type WireRecord = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is WireRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads the API's prediction object.
 * @throws ConnectionError `BAD_ANSWER` naming the field that is not as it should be
 */
export function predictionFromWire(wire: unknown): Prediction {
  if (!isRecord(wire)) throw badAnswer('prediction', 'expected an object');
  const { output, error, metadata } = wire;
  const metrics = isRecord(wire['metrics']) ? wire['metrics'] : {};
  return {
    id: text(wire, 'id'),
    model: text(wire, 'model'),
    version: text(wire, 'version'),
    status: status(wire),
    output: isRecord(output) ? outputsFromWire(output) : null,
    error: isRecord(error)
      ? {
          code: text(error, 'code'),
          message: text(error, 'message'),
          retryable: error['retryable'] === true,
        }
      : null,
    metrics: {
      ...optional('queueTimeMs', metrics['queue_time_ms']),
      ...optional('inferenceTimeMs', metrics['inference_time_ms']),
      ...optional('totalTimeMs', metrics['total_time_ms']),
      ...optional('batchSize', metrics['batch_size']),
      attempts: typeof metrics['attempts'] === 'number' ? metrics['attempts'] : 0,
    },
    createdAt: new Date(text(wire, 'created_at')),
    startedAt: dateOrNull(wire['started_at']),
    completedAt: dateOrNull(wire['completed_at']),
    expiresAt: dateOrNull(wire['expires_at']),
    dataRemoved: wire['data_removed'] === true,
    ...(isRecord(metadata) && { metadata }),
  };
}

function text(wire: WireRecord, key: string): string {
  const value = wire[key];
  if (typeof value !== 'string') throw badAnswer(key, `got ${typeof value}, expected a string`);
  return value;
}

function status(wire: WireRecord): PredictionStatus {
  const value = STATUSES.find((known) => known === wire['status']);
  if (value === undefined) throw badAnswer('status', `expected one of ${STATUSES.join(', ')}`);
  return value;
}

function optional<K extends string>(key: K, value: unknown): { readonly [P in K]?: number } {
  return typeof value === 'number' ? ({ [key]: value } as { [P in K]: number }) : {};
}

function dateOrNull(value: unknown): Date | null {
  return typeof value === 'string' ? new Date(value) : null;
}
