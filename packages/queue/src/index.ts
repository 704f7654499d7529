export { BlobSweeper, type BlobSweeperOptions } from './blob-sweeper.ts';
export { openBullQueue } from './bull-queues.ts';
export { CancelListener } from './cancel-listener.ts';
export { canceledError } from './cancellation.ts';
export { CancellationWatch } from './cancellation-watch.ts';
export { Consumer, type ConsumerOptions, ReturnToQueue } from './consumer.ts';
export { type DeviceLease, DeviceLeases, type DeviceLeasesOptions } from './device-leases.ts';
export { expiredError } from './expiry-sweep.ts';
export { ExpirySweeper, type ExpirySweeperOptions } from './expiry-sweeper.ts';
export { Housekeeping, type HousekeepingOptions } from './housekeeping.ts';
export { InstancePlanStore, type StoredInstancePlan } from './instance-plan-store.ts';
export { type JobData, jobDataSchema } from './job-record.ts';
export { type JobResult, jobResultSchema, packResult, type StoredResult } from './job-result.ts';
export { partResultKey } from './keys.ts';
export type { KnownModel, KnownVersion } from './known-model.ts';
export { ModelOperations } from './model-operations.ts';
export {
  type ModelWish,
  makeWish,
  readWishes,
  type WishedState,
  type WishesByModel,
  WishListener,
  type WishListenerOptions,
} from './model-wishes.ts';
export {
  INLINE_PAYLOAD_BYTES,
  PayloadStore,
  type StoredPayload,
} from './payload-store.ts';
export type { ListQuery, PredictionPage } from './prediction-list.ts';
export {
  PredictionQueue,
  type PredictionQueueOptions,
  type Submitted,
} from './prediction-queue.ts';
export type { WaitOptions } from './prediction-wait.ts';
export { type ProfileRecord, profileRecordSchema } from './profile-record.ts';
export { type ProfileReset, ProfileResetListener } from './profile-resets.ts';
export { type ProfileSaved, ProfileStore, type StoredProfiles } from './profile-store.ts';
export { inputFingerprint, type QuarantinedInput, QuarantineStore } from './quarantine-store.ts';
export {
  QuarantineWatch,
  type QuarantineWatchOptions,
  quarantinedError,
} from './quarantine-watch.ts';
export type { QueueDepth } from './queue-depth.ts';
export type { QueuedPrediction } from './queued-prediction.ts';
export { checkRedis } from './redis-check.ts';
export {
  connectRedis,
  openRedis,
  type RedisConnectOptions,
  type RedisOpenOptions,
  type RedisRole,
  redisFault,
  withoutPassword,
} from './redis-connection.ts';
export { RegistryPublisher } from './registry-publisher.ts';
export { type ModelTarget, RegistryReader } from './registry-reader.ts';
export type { BatchTallies, Tally, VersionStatistics } from './statistics-record.ts';
export { StatisticsStore } from './statistics-store.ts';
export { StatisticsTally, type TalliedRun } from './statistics-tally.ts';
export type { Submission } from './submission.ts';
export { type DeliveredPrediction, DeliveredPredictions } from './webhooks/delivered-prediction.ts';
export {
  DeliveryConsumer,
  type DeliveryConsumerOptions,
  type DeliveryVerdict,
  type DueDelivery,
} from './webhooks/delivery-consumer.ts';
export { type DeliveryDepth, readDeliveryDepth } from './webhooks/delivery-depth.ts';
export {
  DELIVERY_QUEUE,
  type DeliveryData,
  deliveryDataSchema,
} from './webhooks/delivery-record.ts';
export { GoneEndpoints } from './webhooks/gone-endpoints.ts';
export { OutboxSweep, type OutboxSweepOptions } from './webhooks/outbox-sweep.ts';
export {
  DELIVERY_STATES,
  type Delivery,
  type DeliveryQuery,
  type DeliveryState,
  WebhookOperations,
} from './webhooks/webhook-operations.ts';
export type { SentEvent, WebhookOrder } from './webhooks/webhook-order.ts';
export { sharedWebhookSecret } from './webhooks/webhook-secret.ts';
export type { WishOutcome } from './wish-outcome.ts';
