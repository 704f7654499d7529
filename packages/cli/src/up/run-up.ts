import { resolve } from 'node:path';
import { QuernError } from '@quern/contract';
import { withoutPassword } from '@quern/queue';
import { loadRepository, type RepositoryScan } from '@quern/runtime';
import { ApiClient } from '../api-client.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { StatusLine, type Terminal } from '../terminal.ts';
import { DataFolder } from './data-folder.ts';
import { EmbeddedRedis } from './embedded-redis.ts';
import { firstPrediction } from './first-prediction.ts';
import { isRunning } from './process-mark.ts';
import { untilModelsSettled } from './readiness.ts';
import { type Ports, reservePorts } from './reserve-ports.ts';
import { serviceSpecs } from './service-specs.ts';
import { summaryText } from './summary.ts';
import { Supervisor } from './supervisor.ts';
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
  readonly settings: UpSettings;
  readonly modelsDir: string;
  readonly scan: RepositoryScan;
  readonly ports: Ports;
}

/**
 * The all-in-one: a private Redis unless there is one, workers, the API and the dashboard, until it is
 * told to stop.
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
    const ports = await reservePorts(settings);
    const plan: Plan = { settings, modelsDir, scan, ports };
    return await superviseUntilStopped(plan, folder, options, startedAtMs);
  } finally {
    folder.release();
  }
}

async function superviseUntilStopped(
  plan: Plan,
  folder: DataFolder,
  options: UpOptions,
  startedAtMs: number,
): Promise<ExitCode> {
  const { terminal, stop, kill } = options;
  const supervisor = new Supervisor({
    warn: (message) => terminal.err.write(`quern up: ${message}\n`),
    changed: (pids) => folder.noteChildren(pids),
  });
  kill.addEventListener('abort', () => supervisor.kill(), { once: true });
  const over = new AbortController();
  const signal = AbortSignal.any([stop, over.signal]);
  const serving = serve(supervisor, plan, folder, { ...options, stop: signal }, startedAtMs);
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
async function serve(
  supervisor: Supervisor,
  plan: Plan,
  folder: DataFolder,
  options: UpOptions,
  startedAtMs: number,
): Promise<void> {
  const { settings, ports, scan } = plan;
  const { terminal, stop } = options;
  const status = new StatusLine(terminal.out, 'Starting', 'lines');
  const apiUrl = localUrl(settings.host, ports.api);
  const client = new ApiClient({ url: apiUrl, apiKey: settings.apiKey });
  let models: Awaited<ReturnType<typeof untilModelsSettled>>;
  try {
    await supervisor.start(partsOf(plan, folder, options));
    models = await Promise.race([
      supervisor.failed,
      untilModelsSettled({
        client,
        expected: scan.models,
        signal: stop,
        onProgress: (text) => status.update(text),
        timeoutMs: SETTLE_TIMEOUT_MS,
      }),
    ]);
  } finally {
    status.end();
  }
  supervisor.markServing();
  const served = models.filter(({ name }) => scan.models.some((model) => model.name === name));
  const text = summaryText({
    startedInMs: performance.now() - startedAtMs,
    apiUrl,
    dashboardUrl: localUrl(settings.host, ports.dashboard),
    redis: redisText(settings, folder),
    models: served,
    problems: scan.problems,
  });
  terminal.out.write(`${text}\n\n`);
  const ready = scan.models.filter(({ name }) =>
    served.some((view) => view.name === name && view.state === 'ready'),
  );
  const needsKey = settings.apiKey !== undefined;
  const first = { client, models: ready, views: served, needsKey, signal: stop };
  terminal.out.write(`${await firstPrediction(first)}\n\nCtrl-C stops everything.\n`);
}

function partsOf(plan: Plan, folder: DataFolder, options: UpOptions) {
  const { settings, modelsDir, ports } = plan;
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
