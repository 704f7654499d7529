import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { SERVICES, type ServiceName, startService, untilAnswers } from './service-process.ts';
import type { TestProcess } from './test-process.ts';

export interface TestStackOptions {
  readonly redisUrl: string;
  /** The model repository. */
  readonly models: string;
  readonly workers: number;
  readonly dashboard?: boolean;
  /** Further settings of every process. */
  readonly env?: Readonly<Record<string, string>>;
}

interface ModelState {
  readonly name: string;
  readonly versions: readonly { readonly state: string }[];
}

/**
 * An API and workers, each the built process that is shipped, over a Redis that the test owns. Killing
 * one of them is part of many tests, so each can be reached.
 */
export class TestStack {
  readonly workers: TestProcess[] = [];
  readonly api: TestProcess;
  readonly apiUrl: string;
  readonly dashboard: TestProcess | undefined;
  readonly dashboardUrl: string;
  readonly #options: TestStackOptions;

  private constructor(options: TestStackOptions, apiPort: number, dashboardPort: number) {
    this.#options = options;
    this.apiUrl = `http://127.0.0.1:${apiPort}`;
    this.dashboardUrl = `http://127.0.0.1:${dashboardPort}`;
    this.api = this.#service('api', { QUERN_API_PORT: String(apiPort) });
    if (options.dashboard === true) {
      const port = { QUERN_DASHBOARD_PORT: String(dashboardPort) };
      this.dashboard = this.#service('dashboard', port);
    }
    for (let i = 0; i < options.workers; i++) this.addWorker();
  }

  /** Starts everything and waits until every model is ready, or known to be unhealthy. */
  static async start(options: TestStackOptions): Promise<TestStack> {
    const stack = new TestStack(options, await freePort(), await freePort());
    try {
      await untilAnswers(stack.api, `${stack.apiUrl}${SERVICES.api.livePath}`);
      if (stack.dashboard !== undefined) {
        await untilAnswers(stack.dashboard, `${stack.dashboardUrl}${SERVICES.dashboard.livePath}`);
      }
      if (options.workers > 0) await stack.untilModelsSettled();
      return stack;
    } catch (error) {
      await stack.stop('SIGKILL');
      throw error;
    }
  }

  addWorker(env: Readonly<Record<string, string>> = {}): TestProcess {
    const worker = this.#service('worker', { QUERN_WORKER_PORT: '0', ...env });
    this.workers.push(worker);
    return worker;
  }

  #service(name: ServiceName, env: Readonly<Record<string, string>>): TestProcess {
    const { redisUrl, models, env: shared } = this.#options;
    return startService(name, {
      QUERN_REDIS_URL: redisUrl,
      QUERN_MODELS: models,
      ...shared,
      ...env,
    });
  }

  /** Waits until each worker that runs has loaded all its models or knows why it cannot. */
  async untilModelsSettled(timeoutMs = 60_000): Promise<void> {
    await Promise.all(
      this.workers.filter(({ exit }) => exit === undefined).map((worker) => untilReady(worker)),
    );
    await eventually(async () => {
      const { results: models } = (await this.get('/v1/models')) as { results: ModelState[] };
      const states = models.flatMap(({ versions }) => versions.map(({ state }) => state));
      return models.length > 0 && !states.includes('loading') && !states.includes('offline');
    }, timeoutMs);
  }

  /** Reads JSON from the API; any status. */
  async get(path: string): Promise<unknown> {
    const response = await fetch(`${this.apiUrl}${path}`);
    return response.json();
  }

  /** Sends JSON to the API. */
  post(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    return fetch(`${this.apiUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const processes = [this.api, ...(this.dashboard ? [this.dashboard] : []), ...this.workers];
    await Promise.all(processes.map((process) => process.stop(signal)));
  }
}

/** The port of a worker's health and metrics. */
export async function workerPort(worker: TestProcess): Promise<number> {
  const line = await worker.line(/Worker started/);
  return (JSON.parse(line) as { port: number }).port;
}

async function untilReady(worker: TestProcess): Promise<void> {
  await untilAnswers(worker, `http://127.0.0.1:${await workerPort(worker)}/health/ready`);
}
