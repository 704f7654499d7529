export { type WorkerSettings, workerSettings } from './settings.ts';
export { type RunningWorker, startWorker, type WorkerParts } from './worker.ts';
export { createWorkerMetrics, type WorkerMetrics } from './worker-metrics.ts';
