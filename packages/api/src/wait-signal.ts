import type { Response } from 'express';

/** A signal that ends a wait when its caller hangs up or the process begins to stop. */
export function waitSignal(response: Response, stopping: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  if (stopping.aborted || response.destroyed) abort();
  stopping.addEventListener('abort', abort, { once: true });
  response.once('close', () => {
    stopping.removeEventListener('abort', abort);
    // After an answer nobody waits, and an abort costs as much as the rest of this.
    if (!response.writableFinished) abort();
  });
  return controller.signal;
}
