export { deviceKind, type HostDevices } from './device-kind.ts';
export { type InspectOptions, inspectModel } from './inspect/inspect-model.ts';
export {
  candidatePlans,
  type InstancePlan,
  unmeasuredPlan,
  type WantedInstances,
} from './plan/candidate-plans.ts';
export { type MeasuredPlan, type MeasurePlanOptions, measurePlan } from './plan/measure-plan.ts';
export { toRecyclePolicy } from './repository/instances-config.ts';
export {
  loadRepository,
  loadRepositoryModel,
  type RepositoryModel,
  type RepositoryScan,
} from './repository/load-repository.ts';
export {
  EXECUTION_PROVIDERS,
  type ExecutionProvider,
  type ModelConfig,
  modelConfigSchema,
} from './repository/model-config.ts';
export { modelFingerprint } from './repository/model-fingerprint.ts';
export { formatProblem, type RepositoryProblem } from './repository/repository-problem.ts';
export type { ModelVersion } from './repository/versions.ts';
export type { PayloadStore, ReadPayload, StoredResult } from './runner/payload-store.ts';
export type { RunEvents } from './runner/pending-runs.ts';
export type { RecyclePolicy, RecycleReason, RunnerVitals } from './runner/recycle-policy.ts';
export type { RecycleEvent } from './runner/recycler.ts';
export type { RespawnPolicy } from './runner/respawn-policy.ts';
export { PLACES_PER_RUNNER, Runner, type RunnerOptions, startRunner } from './runner/runner.ts';
export type {
  EntryError,
  RowRange,
  RunnerBatch,
  RunnerBatchResult,
  RunnerEntry,
  RunnerInput,
  RunnerOutcome,
  RunnerPayload,
  RunnerResult,
} from './runner/runner-batch.ts';
export { RunnerFault } from './runner/runner-fault.ts';
export {
  type LoadedModel,
  type ProfilePoint,
  type RunnerModel,
  toRunnerModel,
  type WarmupSettings,
} from './runner/runner-model.ts';
export { RunnerPool, type RunnerPoolOptions, type RunnerPoolStatus } from './runner/runner-pool.ts';
export type { RunnerEntryPoint, RunnerExit, RunnerLog } from './runner/runner-process.ts';
export { serveRunner } from './runner/serve-runner.ts';
export type {
  FieldValue,
  HandlerContext,
  HandlerModule,
  HandlerTensor,
  MadeTensor,
  MadeTensors,
  OutputSpec,
  PostprocessHandler,
  PreprocessHandler,
} from './steps/handler/handler-module.ts';
