import { hostname } from 'node:os';
import { realClock } from '@quern/batcher';
import { openBlobs } from '@quern/blobs';
import type { WorkerRecord } from '@quern/contract';
import { EgressClient, egressRules } from '@quern/egress';
import {
  BlobSweeper,
  CancelListener,
  checkRedis,
  connectRedis,
  DeviceLeases,
  ExpirySweeper,
  Housekeeping,
  InstancePlanStore,
  PayloadStore,
  ProfileStore,
  QuarantineWatch,
  RegistryPublisher,
  readWishes,
  StatisticsStore,
  WishListener,
} from '@quern/queue';
import {
  formatProblem,
  loadRepository,
  loadRepositoryModel,
  type RepositoryScan,
} from '@quern/runtime';
import { type Lifecycle, type Logger, type Registry, serveProbes } from '@quern/service';
import { availableCores } from './available-cores.ts';
import { DeviceTurns } from './device-turns.ts';
import { listGpus, visibleGpus } from './gpu-devices.ts';
import { InputFetcher } from './input-fetcher.ts';
import { InstancePlacer } from './instance-placer.ts';
import { InstancePlanner } from './instance-planner.ts';
import { KeptQueues } from './kept-queues.ts';
import { ModelService } from './model-service.ts';
import { ModelSlots } from './model-slots.ts';
import { ProfileKeepers } from './profile-keepers.ts';
import type { WorkerSettings } from './settings.ts';
import { StatisticsKeeper } from './statistics-keeper.ts';
import { VersionMeters } from './version-meters.ts';
import { createWorkerMetrics } from './worker-metrics.ts';

export interface WorkerParts {
  readonly settings: WorkerSettings;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** The environment that runners inherit. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

export interface RunningWorker {
  readonly workerId: string;
  /** Of health and metrics. */
  readonly port: number;
}

/**
 * Starts a worker: reads the model repository, loads every model in runner processes, announces them,
 * and consumes their queues. What it opens is deferred to `lifecycle`, so closing runs backwards: it
 * leaves the registry, stops fetching, gives back what has not started, lets running batches finish
 * within the grace, ends the runners, and disconnects.
 */
export async function startWorker(
  { settings, logger, metrics, env }: WorkerParts,
  lifecycle: Lifecycle,
): Promise<RunningWorker> {
  const onError = (error: Error): void => logger.warn(`Redis: ${error.message}`);
  const onBlobError = (error: Error): void => logger.warn(`Blob stores: ${error.message}`);
  const scan = await loadRepository(settings.models);
  logProblems(scan, settings.models, logger);

  const blobs = openBlobs(settings);
  lifecycle.defer('blob stores', () => blobs.close());
  const connection = {
    url: settings.redisUrl,
    waitMs: settings.redisWaitMs,
    onWaiting: (reason: string) => logger.warn(`Waiting for Redis: ${reason}`),
    onError,
  };
  const redis = await connectRedis({ ...connection, role: 'worker', name: 'worker' });
  lifecycle.defer('Redis', () => redis.disconnect());
  for (const warning of await checkRedis(redis)) logger.warn(warning);
  const subscriber = await connectRedis({ ...connection, role: 'subscriber', name: 'worker-sub' });
  lifecycle.defer('Redis subscriber', () => subscriber.disconnect());

  const workerId = `${hostname()}-${process.pid}`;
  const startedAtMs = Date.now();
  const watch = new QuarantineWatch({ redis, subscriber, onError });
  lifecycle.defer('quarantine', () => watch.close());
  await watch.start();

  const workerMetrics = createWorkerMetrics(metrics);
  let publisher: RegistryPublisher | undefined;
  const publish = (): void => void publisher?.publish().catch(onError);
  const leases = new DeviceLeases({ redis, onError });
  lifecycle.defer('device leases', () => leases.close());
  const placer = new InstancePlacer({
    leases,
    planner: new InstancePlanner({
      store: new InstancePlanStore(redis),
      cores: availableCores,
      logger,
    }),
    gpus: () =>
      visibleGpus({
        setting: settings.gpus,
        cudaVisibleDevices: env['CUDA_VISIBLE_DEVICES'],
        hostname: hostname(),
        list: listGpus,
      }),
  });
  const statistics = new StatisticsKeeper({
    store: new StatisticsStore(redis),
    isStoreReady: () => redis.status === 'ready',
    onError,
  });
  // After the models, which end predictions while they close.
  lifecycle.defer('statistics', () => statistics.close());
  const meters = new VersionMeters(workerMetrics, statistics);
  const turns = new DeviceTurns(realClock, await availableCores());
  const keepers = new ProfileKeepers({
    store: new ProfileStore(redis),
    subscriber,
    isStoreReady: () => redis.status === 'ready',
    onReset: publish,
    logger,
  });
  lifecycle.defer('resets of run times', () => keepers.close());
  const cancels = new CancelListener(subscriber);
  lifecycle.defer('cancellations', () => cancels.close());
  const egress = settings.inputUrls
    ? new EgressClient({ rules: egressRules(settings) })
    : undefined;
  const payloads = new PayloadStore(redis, blobs);
  const fetcher = new InputFetcher({
    egress,
    payloads,
    maxBytes: settings.inputUrlMaxBytes,
    timeoutMs: settings.inputUrlTimeoutMs,
  });
  const slots = new ModelSlots({
    read: (name) => loadRepositoryModel(settings.models, name),
    load: async (model, onChange) => {
      const profiles = await keepers.open(model);
      const service = new ModelService({
        workerId,
        model,
        redis,
        placer,
        payloads,
        runnerEnvironment: { redisUrl: settings.redisUrl, blobs: settings, inherited: env },
        lockDurationMs: settings.lockDurationMs,
        stalledIntervalMs: settings.stalledIntervalMs,
        meterOf: (version) => meters.of(model.name, version),
        quarantine: { watch, payloads },
        fetcher,
        profiles: profiles.of,
        turns,
        logger,
        onChange,
      });
      return { service, onClosed: profiles.forget };
    },
    meterOf: (model, version) => meters.of(model, version),
    cancels,
    onChange: publish,
    onError,
    logger,
  });
  lifecycle.defer('models', () => slots.close(settings.shutdownGraceMs));
  // Before the models: what is being fetched goes back to the queue.
  lifecycle.defer('requests for inputs', () => egress?.close());
  await slots.begin(scan, await readWishes(redis));
  const wishes = new WishListener({ redis, subscriber, onWishes: slots.follow, onError });
  lifecycle.defer('wishes', () => wishes.close());

  const queues = new KeptQueues(redis, () => slots.models());
  const housekeeping = new Housekeeping({ redis, payloads, queues: () => queues.all(), onError });
  lifecycle.defer('housekeeping', async () => {
    await housekeeping.close();
    await queues.close();
  });
  housekeeping.start();
  const blobSweeper = new BlobSweeper({ redis, blobs, onError: onBlobError });
  lifecycle.defer('the sweep of blob stores', () => blobSweeper.close());
  blobSweeper.start();

  const sweeper = new ExpirySweeper({
    redis,
    subscriber,
    models: () => slots.models().map(({ name }) => name),
    onError,
    onExpired: (model, predictions) => workerMetrics.expired.inc({ model }, predictions),
  });
  lifecycle.defer('deadlines', () => sweeper.close());
  sweeper.start();

  const record = (): WorkerRecord => ({
    workerId,
    hostname: hostname(),
    pid: process.pid,
    startedAtMs,
    models: slots.served(),
    wishes: slots.taken(),
  });
  publisher = new RegistryPublisher({ redis, record, onError });
  lifecycle.defer('registry', () => publisher.close());
  await publisher.publish();
  await wishes.start();

  const probes = await serveProbes({
    host: settings.workerHost,
    port: settings.port,
    portVariable: 'QUERN_WORKER_PORT',
    metrics,
    readiness: () => readiness(slots, redis.status === 'ready'),
  });
  lifecycle.defer('probes', probes.close);
  logger.info({ workerId, port: probes.port, models: scan.models.length }, 'Worker started');
  return { workerId, port: probes.port };
}

/** Ready once every model is loaded or known not to load, and while Redis is connected. */
function readiness(
  slots: ModelSlots,
  isConnected: boolean,
): { ready: boolean } & Record<string, unknown> {
  const states = slots.served().map(({ name, versions, problems }) => ({
    name,
    versions: versions.map(({ version, state, reason }) => ({ version, state, reason })),
    problems,
  }));
  const ready = isConnected && slots.isSettled;
  return { ready, redis: isConnected, models: states };
}

function logProblems(scan: RepositoryScan, dir: string, logger: Logger): void {
  for (const problem of scan.problems)
    logger.error({ model: problem.model }, formatProblem(problem));
  if (scan.models.length === 0) {
    logger.warn(`No model in ${dir}: add a folder <model>/<version>/model.onnx and start again.`);
  }
}
