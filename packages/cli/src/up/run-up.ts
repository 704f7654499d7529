import { resolve } from 'node:path';
import { QuernError } from '@quern/contract';
import { withoutPassword } from '@quern/queue';
import { loadRepository, type RepositoryScan } from '@quern/runtime';
import { ApiClient } from '../api-client.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import type { ModelView } from '../models/model-view.ts';
import { StatusLine, type Terminal } from '../terminal.ts';
import { DataFolder } from './data-folder.ts';
import { EmbeddedRedis } from './embedded-redis.ts';
import { firstPrediction } from './first-prediction.ts';
import { isRunning } from './process-mark.ts';
import { untilModelsSettled } from './readiness.ts';
import { type Ports, reservePorts } from './reserve-ports.ts';
import { serviceSpecs } from './service-specs.ts';
import { summaryText } from './summary.ts';
import { type SupervisedParts, Supervisor } from './supervisor.ts';
import { until } from './until.ts';
import { localUrl, readUpSettings, type UpSettings } from './up-settings.ts';

export interface UpOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly terminal: Terminal;
  readonly dataDir: string;
  /** Overrides QUERN_MODELS. */
  readonly modelsDir: string | undefined;
  readonly workers: number;
  /** Aborted by the first signal: everything stops in order. */
  readonly stop: AbortSignal;
  /** Aborted by the second one: everything ends at once. */
  readonly kill: AbortSignal;
}

/** Loading many models on a slow disk takes its time; what still loads then is shown as loading. */
const SETTLE_TIMEOUT_MS = 300_000;
/** What the children of a killed `up` may take beyond their grace. */
const LEFT_BEHIND_MARGIN_MS = 15_000;

const STOPPING =
  'Stopping: running predictions are finished, waiting ones stay in the queue. Ctrl-C again ends everything at once.';

/** What is known before anything is started. */
interface Plan {
  readonly startedAtMs: number;
  readonly folder: DataFolder;
  readonly settings: UpSettings;
  readonly modelsDir: string;
  readonly scan: RepositoryScan;
  readonly ports: Ports;
}

/**
 * The all-in-one: a private Redis unless there is one, workers, webhooks, the API and the dashboard,
 * until it is told to stop.
 * @returns the exit code: 0 after a stop that was asked for
 * @throws QuernError if it cannot start; nothing is left running then
 */
export async function runUp(options: UpOptions): Promise<ExitCode> {
  const startedAtMs = performance.now();
  const settings = readUpSettings(options.env);
  const modelsDir = resolve(options.modelsDir ?? settings.models);
  const scan = await loadRepository(modelsDir);
  const folder = DataFolder.acquire(options.dataDir);
  try {
    await untilGone(folder, settings, options);
    if (options.stop.aborted) return EXIT_CODES.ok;
    const ports = await reservePorts(settings);
    const plan: Plan = { startedAtMs, folder, settings, modelsDir, scan, ports };
    return await superviseUntilStopped(plan, options);
  } finally {
    folder.release();
  }
}

async function superviseUntilStopped(plan: Plan, options: UpOptions): Promise<ExitCode> {
  const { terminal, stop, kill } = options;
  const supervisor = new Supervisor({
    warn: (message) => terminal.err.write(`quern up: ${message}\n`),
    changed: (pids) => plan.folder.noteChildren(pids),
  });
  kill.addEventListener('abort', () => supervisor.kill(), { once: true });
  const over = new AbortController();
  const signal = AbortSignal.any([stop, over.signal]);
  const serving = serve(supervisor, plan, { ...options, stop: signal });
  try {
    await Promise.race([supervisor.failed, aborted(stop), serving.then(() => aborted(stop))]);
  } catch (error) {
    // What fails because it is being stopped is no news.
    if (!stop.aborted) throw error;
  } finally {
    over.abort();
    if (stop.aborted) terminal.out.write(`\n${STOPPING}\n`);
    await Promise.all([supervisor.stop(), serving.catch(() => {})]);
  }
  terminal.out.write('Stopped.\n');
  return kill.aborted ? EXIT_CODES.interrupted : EXIT_CODES.ok;
}

/** Starts everything, says so, makes a first prediction; from then on the parts are kept alive. */
async function serve(supervisor: Supervisor, plan: Plan, options: UpOptions): Promise<void> {
  const { settings, ports, scan } = plan;
  const url = localUrl(settings.host, ports.api);
  const client = new ApiClient({ url, apiKey: settings.apiKey });
  const settled = await startUntilSettled(supervisor, plan, client, options);
  supervisor.markServing();
  // An external Redis may know models of other repositories.
  const names = new Set(scan.models.map(({ name }) => name));
  await introduce(
    plan,
    client,
    settled.filter(({ name }) => names.has(name)),
    options,
  );
}

async function startUntilSettled(
  supervisor: Supervisor,
  plan: Plan,
  client: ApiClient,
  options: UpOptions,
): Promise<ModelView[]> {
  const status = new StatusLine(options.terminal.out, 'Starting', 'lines');
  try {
    await supervisor.start(partsOf(plan, options));
    const settled = untilModelsSettled({
      client,
      expected: plan.scan.models,
      signal: options.stop,
      onProgress: (text) => status.update(text),
      timeoutMs: SETTLE_TIMEOUT_MS,
    });
    return await Promise.race([supervisor.failed, settled]);
  } finally {
    status.end();
  }
}

/** Prints the summary and a first prediction. */
async function introduce(
  { settings, folder, ports, scan, startedAtMs }: Plan,
  client: ApiClient,
  views: readonly ModelView[],
  { terminal, stop }: UpOptions,
): Promise<void> {
  const text = summaryText({
    startedInMs: performance.now() - startedAtMs,
    apiUrl: client.url,
    dashboardUrl: localUrl(settings.host, ports.dashboard),
    redis: redisText(settings, folder),
    models: views,
    problems: scan.problems,
  });
  terminal.out.write(`${text}\n\n`);
  const ready = new Set(views.filter(({ state }) => state === 'ready').map(({ name }) => name));
  const first = await firstPrediction({
    client,
    models: scan.models.filter(({ name }) => ready.has(name)),
    views,
    needsKey: settings.apiKey !== undefined,
    signal: stop,
  });
  terminal.out.write(`${first}\n\nCtrl-C stops everything.\n`);
}

function partsOf(plan: Plan, options: UpOptions): SupervisedParts {
  const { settings, folder, modelsDir, ports } = plan;
  const startRedis = () =>
    EmbeddedRedis.start({ dataDir: folder.path, binary: settings.redisServer });
  return {
    startRedis: settings.redisUrl === undefined ? startRedis : undefined,
    services: (embeddedUrl: string | undefined) =>
      serviceSpecs({
        env: options.env,
        settings,
        ports,
        redisUrl: embeddedUrl ?? settings.redisUrl ?? '',
        modelsDir,
        workers: options.workers,
      }),
  };
}

/** Children of an `up` that was killed end by themselves, but hold their ports until then. */
async function untilGone(
  folder: DataFolder,
  settings: UpSettings,
  { terminal, stop }: UpOptions,
): Promise<void> {
  const { leftBehind } = folder;
  if (leftBehind.length === 0) return;
  const status = new StatusLine(
    terminal.out,
    'Waiting for the processes of a killed run to end',
    'lines',
  );
  const timeoutMs = settings.shutdownGraceMs + LEFT_BEHIND_MARGIN_MS;
  const gone = await until(
    async () => (leftBehind.some(isRunning) ? undefined : true),
    timeoutMs,
    stop,
  ).finally(() => status.end());
  if (gone === true || stop.aborted) return;
  const pids = leftBehind.filter(isRunning).map(({ pid }) => pid);
  throw new QuernError(
    'CONFIG_INVALID',
    `Processes of an earlier, killed quern up still run: end them with kill -9 ${pids.join(' ')}`,
  );
}

function redisText(settings: UpSettings, folder: DataFolder): string {
  if (settings.redisUrl !== undefined) return withoutPassword(settings.redisUrl);
  return `private, its data in ${folder.path}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
