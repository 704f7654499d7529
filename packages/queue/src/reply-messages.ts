import { z } from 'zod';
import type { JobView } from './job-record.ts';
import { packResult, storedResultSchema } from './job-result.ts';

/** A job that has ended, as the producer that waits for it is told. */
export const replySchema = z.object({
  id: z.string(),
  startedAtMs: z.number().optional(),
  finishedAtMs: z.number(),
  attempts: z.number().int(),
  failedReason: z.string().optional(),
  result: storedResultSchema.optional(),
});
export type Reply = z.infer<typeof replySchema>;

/**
 * What goes over a producer's channel: ends of jobs from workers, and requests from other producers to
 * pass such news on (their clients ask for a prediction that this process accepted).
 */
export const replyMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ended'), replies: z.array(replySchema) }),
  z.object({ type: z.literal('forward'), id: z.string(), to: z.string() }),
]);
export type ReplyMessage = z.infer<typeof replyMessageSchema>;

/** What a producer is told of a job; undefined if the job has not ended. */
export function replyOf(view: JobView): Reply | undefined {
  if (view.finishedAtMs === undefined) return undefined;
  return {
    id: view.id,
    finishedAtMs: view.finishedAtMs,
    attempts: view.attempts,
    ...(view.startedAtMs !== undefined && { startedAtMs: view.startedAtMs }),
    ...(view.failedReason !== undefined && { failedReason: view.failedReason }),
    ...(view.result !== undefined && { result: packResult(view.result) }),
  };
}
