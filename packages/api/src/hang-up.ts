import { isTerminal } from '@quern/contract';
import type { Submitted } from '@quern/queue';
import type { Response } from 'express';
import type { RouteDeps } from './route-deps.ts';

/**
 * Takes back a prediction whose caller has hung up while waiting: its id was never told, so nobody can
 * ask for the result. One that has started goes on, as its batch would anyway, and so does one under an
 * id that the caller chose, which may be asked for later.
 */
export async function withdrawIfAbandoned(
  { queue, cancelOnHangUp }: Pick<RouteDeps, 'queue' | 'cancelOnHangUp'>,
  response: Response,
  { prediction, created }: Submitted,
): Promise<void> {
  const isAbandoned = response.destroyed && created && !isTerminal(prediction.status);
  if (cancelOnHangUp && isAbandoned) await queue.withdraw(prediction.id);
}
