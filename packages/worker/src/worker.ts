import { hostname } from 'node:os';
import { realClock } from '@quern/batcher';
import type { ServedModel, WorkerRecord } from '@quern/contract';
import {
  CancelListener,
  checkRedis,
  connectRedis,
  DeviceLeases,
  ExpirySweeper,
  Housekeeping,
  InstancePlanStore,
  openBullQueue,
  PayloadStore,
  ProfileStore,
  QuarantineWatch,
  RegistryPublisher,
  StatisticsStore,
} from '@quern/queue';
import { formatProblem, loadRepository, type RepositoryScan } from '@quern/runtime';
import { type Lifecycle, type Logger, type Registry, serveProbes } from '@quern/service';
import { availableCores } from './available-cores.ts';
import { DeviceTurns } from './device-turns.ts';
import { listGpus, visibleGpus } from './gpu-devices.ts';
import { InstancePlacer } from './instance-placer.ts';
import { InstancePlanner } from './instance-planner.ts';
import { ModelService } from './model-service.ts';
import { ProfileKeepers } from './profile-keepers.ts';
import type { WorkerSettings } from './settings.ts';
import { StatisticsKeeper } from './statistics-keeper.ts';
import { problemsOf, unservedModels } from './unserved-models.ts';
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
  const scan = await loadRepository(settings.models);
  logProblems(scan, settings.models, logger);

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
  const keepers = await ProfileKeepers.open({
    store: new ProfileStore(redis),
    models: scan.models,
    isStoreReady: () => redis.status === 'ready',
    logger,
  });
  let publisher: RegistryPublisher | undefined;
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
  const turns = new DeviceTurns(realClock, await availableCores());
  const services = scan.models.map(
    (model) =>
      new ModelService({
        workerId,
        model,
        redis,
        placer,
        runnerEnvironment: { redisUrl: settings.redisUrl, inherited: env },
        lockDurationMs: settings.lockDurationMs,
        stalledIntervalMs: settings.stalledIntervalMs,
        metrics: workerMetrics,
        quarantine: { watch, payloads: new PayloadStore(redis) },
        profiles: (version) => keepers.of(model.name, version),
        turns,
        statistics,
        logger,
        onChange: () => void publisher?.publish().catch(onError),
      }),
  );
  lifecycle.defer('models', async () => {
    await Promise.all(services.map((service) => service.close(settings.shutdownGraceMs)));
  });

  const stopHearingResets = await keepers.hearResets(
    subscriber,
    () => void publisher?.publish().catch(onError),
  );
  lifecycle.defer('resets of run times', stopHearingResets);
  const cancels = new CancelListener(subscriber);
  lifecycle.defer('cancellations', () => cancels.close());
  for (const service of services) {
    await cancels.listen(service.name, (id) => service.cancel(id));
  }

  const queues = services.map((service) => ({
    queue: openBullQueue(redis, service.name),
    settings: service.settings,
  }));
  const housekeeping = new Housekeeping({ redis, queues: () => queues, onError });
  lifecycle.defer('housekeeping', async () => {
    await housekeeping.close();
    await Promise.all(queues.map(({ queue }) => queue.close()));
  });
  housekeeping.start();

  const names = services.map(({ name }) => name);
  const sweeper = new ExpirySweeper({
    redis,
    models: () => names,
    onError,
    onExpired: (model, predictions) => workerMetrics.expired.inc({ model }, predictions),
  });
  lifecycle.defer('deadlines', () => sweeper.close());
  sweeper.start();

  const served = services.map((service) => ({ service, ...problemsOf(scan, service.name) }));
  const unserved = unservedModels(scan);
  const record = (): WorkerRecord => ({
    workerId,
    hostname: hostname(),
    pid: process.pid,
    startedAtMs,
    models: [
      ...served.map(({ service, ...problems }) => ({ ...service.served(), ...problems })),
      ...unserved,
    ],
  });
  publisher = new RegistryPublisher({ redis, record, onError });
  lifecycle.defer('registry', () => publisher.close());
  await publisher.publish();

  const probes = await serveProbes({
    host: settings.workerHost,
    port: settings.port,
    portVariable: 'QUERN_WORKER_PORT',
    metrics,
    readiness: () => readiness(services, record().models, redis.status === 'ready'),
  });
  lifecycle.defer('probes', probes.close);
  logger.info({ workerId, port: probes.port, models: scan.models.length }, 'Worker started');
  return { workerId, port: probes.port };
}

/** Ready once every model is loaded or known not to load, and while Redis is connected. */
function readiness(
  services: readonly ModelService[],
  models: readonly ServedModel[],
  isConnected: boolean,
): { ready: boolean } & Record<string, unknown> {
  const states = models.map(({ name, versions, problems }) => ({
    name,
    versions: versions.map(({ version, state, reason }) => ({ version, state, reason })),
    problems,
  }));
  const ready = isConnected && services.every((service) => service.isSettled);
  return { ready, redis: isConnected, models: states };
}

function logProblems(scan: RepositoryScan, dir: string, logger: Logger): void {
  for (const problem of scan.problems)
    logger.error({ model: problem.model }, formatProblem(problem));
  if (scan.models.length === 0) {
    logger.warn(`No model in ${dir}: add a folder <model>/<version>/model.onnx and start again.`);
  }
}
