import { setTimeout as delay } from 'node:timers/promises';
import type { RepositoryModel } from '@quern/runtime';
import type { ApiClient } from '../api-client.ts';
import { ApiRefusal, ApiUnreachable } from '../api-errors.ts';
import type { ModelView } from '../models/model-view.ts';

export interface ReadinessOptions {
  readonly client: ApiClient;
  /** What the repository holds. */
  readonly expected: readonly RepositoryModel[];
  readonly signal: AbortSignal;
  /** Told what is being waited for, in words. */
  readonly onProgress: (text: string) => void;
  readonly timeoutMs: number;
}

const POLL_MS = 100;

/**
 * Polls until the API answers and every version of every model has been loaded, or found unhealthy.
 * @returns the models as they are then; also when the time is over with some still loading
 * @throws the last fault if the API has not answered by then; the signal's reason when aborted
 */
export async function untilModelsSettled(options: ReadinessOptions): Promise<ModelView[]> {
  const { client, expected, signal, onProgress } = options;
  const deadlineMs = performance.now() + options.timeoutMs;
  for (;;) {
    const isOver = performance.now() > deadlineMs;
    try {
      const models = await client.models({ signal });
      const waitingFor = unsettled(models, expected);
      if (waitingFor.length === 0 || isOver) return models;
      onProgress(`Loading ${waitingFor.join(', ')}`);
    } catch (error) {
      const mayPass = error instanceof ApiRefusal || error instanceof ApiUnreachable;
      if (signal.aborted || isOver || !mayPass) throw error;
      onProgress('Waiting for the API');
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

function unsettled(models: readonly ModelView[], expected: readonly RepositoryModel[]): string[] {
  const settled = new Set(
    models.flatMap(({ name, versions }) =>
      versions
        .filter(({ state }) => state === 'ready' || state === 'unhealthy')
        .map(({ version }) => `${name} ${version}`),
    ),
  );
  return expected
    .filter(({ name, versions }) =>
      versions.some(({ version }) => !settled.has(`${name} ${version}`)),
    )
    .map(({ name }) => name);
}
