import { type InferRequest, MAX_TIMEOUT_MS, type Priority, show } from '@quern/contract';
import { invalidRequest } from './request-schema.ts';

/** The protocol's scheduling parameters in our terms. */
export interface InferSchedule {
  readonly priority: Priority;
  /** Time in which the prediction must start; undefined for the model's own. */
  readonly timeoutMs: number | undefined;
}

/**
 * Reads `priority` (0 default, 1 highest; from 3 on everything is low) and `timeout` (microseconds in
 * the queue; 0 for none of its own).
 * @throws QuernError `INVALID_REQUEST`
 */
export function readSchedule(parameters: InferRequest['parameters']): InferSchedule {
  const priority = wholeNumber(parameters, 'priority', Number.MAX_SAFE_INTEGER);
  const timeoutUs = wholeNumber(parameters, 'timeout', MAX_TIMEOUT_MS * 1000);
  return {
    priority: priorityClass(priority),
    timeoutMs: timeoutUs === 0 ? undefined : Math.ceil(timeoutUs / 1000),
  };
}

function priorityClass(priority: number): Priority {
  if (priority === 1) return 'high';
  return priority >= 3 ? 'low' : 'normal';
}

function wholeNumber(parameters: InferRequest['parameters'], name: string, max: number): number {
  const value = parameters?.[name] ?? 0;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) {
    return value;
  }
  const expected = `expected a whole number from 0 to ${max}`;
  throw invalidRequest(`parameters.${name}`, `got ${show(value)}, ${expected}`);
}
