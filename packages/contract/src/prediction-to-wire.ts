import type { Prediction, WirePrediction } from './prediction.ts';
import { tensorToJson } from './tensor-to-json.ts';

export interface WireObject<T> {
  readonly body: T;
  /** True if the body holds bigints: write it with `stringifyJson(body, true)`. */
  readonly holdsBigints: boolean;
}

/**
 * The prediction object as clients read it. Output tensors are written in the form of the input.
 * @param baseUrl scheme and authority for the links, without a trailing slash; empty for relative ones
 */
export function predictionToWire(
  prediction: Prediction,
  baseUrl: string,
): WireObject<WirePrediction> {
  const { metrics } = prediction;
  const url = `${baseUrl}/v1/predictions/${encodeURIComponent(prediction.id)}`;
  const { output, holdsBigints } = outputToJson(prediction);
  const body: WirePrediction = {
    id: prediction.id,
    model: prediction.model,
    version: String(prediction.version),
    status: prediction.status,
    output,
    error: prediction.error ?? null,
    metrics: {
      ...(metrics.queueTimeMs !== undefined && { queue_time_ms: metrics.queueTimeMs }),
      ...(metrics.inferenceTimeMs !== undefined && { inference_time_ms: metrics.inferenceTimeMs }),
      ...(metrics.totalTimeMs !== undefined && { total_time_ms: metrics.totalTimeMs }),
      ...(metrics.batchSize !== undefined && { batch_size: metrics.batchSize }),
      attempts: metrics.attempts,
    },
    created_at: isoTime(prediction.createdAtMs),
    started_at: isoTimeOrNull(prediction.startedAtMs),
    completed_at: isoTimeOrNull(prediction.completedAtMs),
    expires_at: isoTimeOrNull(prediction.deadlineAtMs),
    data_removed: prediction.dataRemoved,
    urls: { get: url, cancel: `${url}/cancel`, events: `${url}/events` },
    ...(prediction.metadata !== undefined && { metadata: prediction.metadata }),
  };
  return { body, holdsBigints };
}

function outputToJson(prediction: Prediction): {
  output: Record<string, unknown> | null;
  holdsBigints: boolean;
} {
  if (prediction.outputs === undefined) return { output: null, holdsBigints: false };
  let holdsBigints = false;
  const entries = prediction.outputs.map((tensor) => {
    const json = tensorToJson(tensor, prediction.form);
    holdsBigints ||= json.holdsBigints;
    return [tensor.name, json.value] as const;
  });
  return { output: Object.fromEntries(entries), holdsBigints };
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function isoTimeOrNull(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : isoTime(timeMs);
}
