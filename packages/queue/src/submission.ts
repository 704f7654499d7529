import type { ModelInputs, Priority } from '@quern/contract';
import type { ModelTarget } from './registry-reader.ts';
import type { WebhookOrder } from './webhooks/webhook-order.ts';

/** A prediction to make: inputs that already fit the target's signature. */
export interface Submission {
  readonly target: ModelTarget;
  readonly inputs: ModelInputs;
  /** Names of the outputs wanted; all if absent. */
  readonly outputs?: readonly string[];
  /** Chosen by the client: a repetition with the same content returns the same prediction. */
  readonly id?: string;
  readonly priority: Priority;
  /** Overrides the model's own timeout. */
  readonly timeoutMs?: number;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Who is told of its end, or of its start. Where it leads is judged when it is called. */
  readonly webhook?: WebhookOrder;
}
