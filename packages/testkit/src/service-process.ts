import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';
import { TestProcess } from './test-process.ts';

export type ServiceName = 'api' | 'worker' | 'webhooks' | 'dashboard';

/** The variable of each service's port, and the path that answers 200 once it is up. */
export const SERVICES = {
  api: { portVariable: 'QUERN_API_PORT', livePath: '/v2/health/live' },
  worker: { portVariable: 'QUERN_WORKER_PORT', livePath: '/health/live' },
  webhooks: { portVariable: 'QUERN_WEBHOOKS_PORT', livePath: '/health/live' },
  dashboard: { portVariable: 'QUERN_DASHBOARD_PORT', livePath: '/health/live' },
} as const satisfies Record<ServiceName, { portVariable: string; livePath: string }>;

/** Starts a service as it is shipped: the built `main.js`, with these settings alone. */
export function startService(
  name: ServiceName,
  env: Readonly<Record<string, string>>,
): TestProcess {
  return new TestProcess({
    name,
    command: process.execPath,
    args: [fileURLToPath(new URL(`../../${name}/dist/main.js`, import.meta.url))],
    env,
  });
}

/**
 * Waits until a service answers at a URL with 200.
 * @throws Error with its last lines as soon as it has ended
 */
export async function untilAnswers(service: TestProcess, url: string): Promise<void> {
  const hasEnded = await eventually(async () => {
    if (service.exit !== undefined) return true;
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${service.name} answers ${response.status} at ${url}`);
    return undefined;
  }, 60_000);
  if (hasEnded === true)
    throw new Error(`${service.name} ended; its last lines:\n${service.tail()}`);
}
