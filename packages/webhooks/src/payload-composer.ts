import { predictionToWire, stringifyJson } from '@quern/contract';
import type { DeliveredPrediction, DeliveryData } from '@quern/queue';

/** An element is at most 8 bytes, and at least 2 as text: an output beyond that cannot fit. */
const MIN_TEXT_PER_BYTE = 1 / 4;

export interface PayloadOptions {
  readonly payload: 'full' | 'thin';
  /** A larger body loses its output. */
  readonly maxBodyBytes: number;
  /** Reads the prediction as it is now, its output only up to a size; undefined if it is gone. */
  readonly read: (
    data: DeliveryData,
    maxOutputBytes: number,
  ) => Promise<DeliveredPrediction | undefined>;
}

/**
 * The body of a delivery, composed anew for each attempt so that Redis keeps no outputs twice.
 *
 * `full` is the prediction object, as the API answers it; an output that is too large is left out, and
 * `output_omitted` says so. `thin` is an event after the recommendation of Standard Webhooks.
 */
export async function composePayload(data: DeliveryData, options: PayloadOptions): Promise<string> {
  if (options.payload === 'thin') return JSON.stringify(thinEvent(data));
  const { prediction, event, baseUrl } = data;
  if (event === 'start') return JSON.stringify(prediction);
  const { maxBodyBytes } = options;
  const found = await options.read(data, maxBodyBytes / MIN_TEXT_PER_BYTE);
  if (found === undefined) {
    const isLost = prediction.status === 'succeeded';
    return JSON.stringify({ ...prediction, ...(isLost && { data_removed: true }) });
  }
  const { body, holdsBigints } = predictionToWire(found.prediction, baseUrl);
  const text = stringifyJson(body, holdsBigints);
  const isTooLarge = body.output !== null && Buffer.byteLength(text) > maxBodyBytes;
  if (!isTooLarge && !found.isOutputLeftOut) return text;
  return JSON.stringify({ ...body, output: null, output_omitted: true });
}

function thinEvent({ event, prediction, sinceMs }: DeliveryData): Record<string, unknown> {
  const { id, model, version, status, urls } = prediction;
  const { completed_at: completedAt } = prediction;
  const timestamp = typeof completedAt === 'string' ? completedAt : new Date(sinceMs).toISOString();
  return { type: `prediction.${event}`, timestamp, data: { id, model, version, status, urls } };
}
