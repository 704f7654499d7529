export { blobSettings } from './blob-settings.ts';
export { Lifecycle } from './lifecycle.ts';
export { createLogger, type Logger, type LoggerOptions } from './logger.ts';
export { assertGuarded, isLoopback } from './loopback.ts';
export {
  Counter,
  createMetricsRegistry,
  DURATION_BUCKETS_SECONDS,
  Gauge,
  Histogram,
  type Registry,
} from './metrics.ts';
export {
  closeServer,
  type ListenOptions,
  listen,
  type ProbeOptions,
  serveProbes,
} from './probe-server.ts';
export { type ProcessOptions, runProcess } from './run-process.ts';
export { runService, type ServiceOptions, type ServiceParts } from './run-service.ts';
export {
  flagText,
  integerText,
  listText,
  portText,
  readSettings,
  type Setting,
  type SettingValues,
  setting,
} from './settings.ts';
export { LOG_LEVELS, lockSettings, sharedSettings } from './shared-settings.ts';
export { isWebhookSecret, webhookSecretSettings } from './webhook-secrets.ts';
