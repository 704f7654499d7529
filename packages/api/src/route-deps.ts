import type { EgressRules } from '@quern/egress';
import type { PredictionQueue } from '@quern/queue';
import type { ApiMetrics } from './api-metrics.ts';
import type { BodyReader } from './request-body.ts';

/** What the routes work with. */
export interface RouteDeps {
  readonly queue: PredictionQueue;
  readonly metrics: ApiMetrics;
  readonly bodies: BodyReader;
  /** How long a synchronous request waits at most, ms. */
  readonly syncWaitMs: number;
  /** Whether a prediction ends when its only caller hangs up before it has started. */
  readonly cancelOnHangUp: boolean;
  /** Base of links; undefined: what the client called. */
  readonly publicUrl: string | undefined;
  /** Which addresses webhooks may name. */
  readonly egressRules: EgressRules;
  /** What webhooks are signed with, the newest first; empty: with the secret that lies in Redis. */
  readonly webhookSecrets: readonly string[];
  /** Aborted when the process begins to stop: waits end then. */
  readonly stopping: AbortSignal;
}
