/**
 * Every key and channel of Quern in Redis. All of a model's keys carry the hash tag `{model}`, so a
 * cluster keeps them in one slot and spreads models over shards.
 */
export const ROOT = 'quern';

/** The prefix that BullMQ puts before `:<queue name>:`; the queue's name is the model's. */
export function bullPrefix(model: string): string {
  return `${ROOT}:{${model}}`;
}

/** Keys of ours beside BullMQ's: the dot keeps them apart, whatever a model is called. */
function ownKey(model: string, suffix: string): string {
  return `${bullPrefix(model)}.${suffix}`;
}

/** A key that BullMQ owns: a job's hash, or a set such as `prioritized`. */
export function bullKey(model: string, suffix: string): string {
  return `${bullPrefix(model)}:${model}:${suffix}`;
}

/** The input of a prediction, where it is too large for the job. */
export function inputKey(model: string, id: string): string {
  return ownKey(model, `input:${id}`);
}

/** Hash of inputs that lie in a blob store: prediction id to reference. */
export function blobInputsKey(model: string): string {
  return ownKey(model, 'blob-inputs');
}

/** A large result; each attempt writes its own, and the job names the one that counts. */
export function resultKey(model: string, id: string, attempt: number): string {
  return ownKey(model, `result:${id}:${attempt}`);
}

/** The result of a part of a large prediction, until the parts are put together. */
export function partResultKey(wholeKey: string, firstRow: number): string {
  return `${wholeKey}:row-${firstRow}`;
}

/** Sorted set of result keys by time, for retention by count. */
export function resultIndexKey(model: string): string {
  return ownKey(model, 'results');
}

/** Sorted set of prediction ids by creation time, for lists. */
export function predictionIndexKey(model: string): string {
  return ownKey(model, 'predictions');
}

/** Sorted set of the ids that have a deadline, by deadline in ms; see `ExpirySweeper`. */
export function deadlinesKey(model: string): string {
  return ownKey(model, 'deadlines');
}

/** Channel: a model has an earlier deadline than it had; see `DeadlineListener`. */
export const DEADLINES_CHANNEL = `${ROOT}:{registry}:deadline`;

/** Hash of inputs that are refused: fingerprint to record; see `QuarantineStore`. */
export function quarantineKey(model: string): string {
  return ownKey(model, 'quarantine');
}

/** Of everything that belongs to webhooks; no model's name begins with a tilde. */
const WEBHOOKS = '~webhooks';
/** Sorted set of `model/id` whose deliveries are not in their queue yet; see `WebhookOutbox`. */
export const WEBHOOK_OUTBOX_KEY = ownKey(WEBHOOKS, 'outbox');
/** The secret that deliveries are signed with where none is configured. */
export const WEBHOOK_SECRET_KEY = ownKey(WEBHOOKS, 'secret');

/** A receiver that has said that it is gone for good. */
export function goneEndpointKey(digest: string): string {
  return ownKey(WEBHOOKS, `gone:${digest}`);
}

/** How often an input has lately killed a runner. */
export function killsKey(model: string, fingerprint: string): string {
  return ownKey(model, `kills:${fingerprint}`);
}

/** How many instances with how many threads were best under some conditions. */
export function instancePlanKey(model: string, conditions: string): string {
  return ownKey(model, `instances:${conditions}`);
}

/** Channel on which workers hear of cancellations. */
export function cancelChannel(model: string): string {
  return ownKey(model, 'cancel');
}

/** Channel of one producer process: predictions that it waits for have ended. */
export function replyChannel(processId: string): string {
  return `${ROOT}:reply:${processId}`;
}

/** Whoever sets it sweeps the blob stores; nobody else does until it ends. */
export const BLOB_SWEEP_KEY = `${ROOT}:{registry}:blob-sweep`;

/** Which model a client-chosen id belongs to, and what was asked under it. */
export function reservationKey(id: string): string {
  return `${ROOT}:id:${id}`;
}

/** Hash of every model that was ever loaded: name to record; see `KnownRecord`. */
export const KNOWN_MODELS_KEY = `${ROOT}:{registry}:models`;
/** Set of worker ids; each has a record that ends with its heartbeat. */
export const WORKERS_KEY = `${ROOT}:{registry}:workers`;
export const REGISTRY_CHANNEL = `${ROOT}:{registry}:changed`;

/** Sorted set of models that have inputs in quarantine, by the time when the last one's ends. */
export const QUARANTINED_MODELS_KEY = `${ROOT}:{registry}:quarantined`;
/** Channel: a model's quarantine has changed. */
export const QUARANTINE_CHANNEL = `${ROOT}:{registry}:quarantine`;
/** Sorted set of leases on devices, by the time at which they end; see `DeviceLeases`. */
export const DEVICE_LEASES_KEY = `${ROOT}:{devices}:leases`;

export function workerKey(workerId: string): string {
  return `${ROOT}:{registry}:worker:${workerId}`;
}

/** Hash of what workers have learnt of a model's run times; see `ProfileStore`. */
export function profilesKey(model: string): string {
  return ownKey(model, 'profiles');
}

/** Channel on which workers are told to forget a model's run times. */
export function profileResetChannel(model: string): string {
  return ownKey(model, 'profile-reset');
}

/** Hash of what a version has done, over all workers and their restarts; see `VersionStatistics`. */
export function statisticsKey(model: string, version: number): string {
  return ownKey(model, `statistics:${version}`);
}

/** Hash of what administrators wish of models: name to wish; see `ModelWishes`. */
export const MODEL_WISHES_KEY = `${ROOT}:{registry}:wishes`;
/** Counts the wishes. */
export const WISH_REVISION_KEY = `${ROOT}:{registry}:wish-revision`;
/** Channel: there is a new wish. */
export const WISHES_CHANNEL = `${ROOT}:{registry}:wish`;
