export { decodeBytesElements, encodeBytesElements, splitBytesElements } from './bytes-elements.ts';
export { type ClassificationOptions, classify } from './classification.ts';
export { type BlockPlace, forEachRun } from './copy-runs.ts';
export { DATATYPE_TRAITS, DATATYPES, type Datatype, datatypeFromOnnx } from './datatypes.ts';
export {
  allocateElements,
  type ElementArray,
  packNumbers,
  unpackNumbers,
  viewBytes,
  viewElements,
} from './element-array.ts';
export { fieldPath, show } from './error-text.ts';
export {
  ERROR_CATALOGUE,
  ERROR_CODES,
  type ErrorCode,
  isErrorCode,
  QuernError,
  type QuernErrorJson,
  type QuernErrorOptions,
  toQuernError,
} from './errors.ts';
export { type FieldSpec, isFieldSpec } from './field-from-json.ts';
export { parseInferInputs, parseRawInput } from './infer-inputs.ts';
export {
  type AnsweredOutput,
  type InferAnswer,
  type InferMessage,
  inferResponseToWire,
} from './infer-response.ts';
export {
  type InferRequest,
  type InferResponse,
  inferRequestSchema,
  inferResponseSchema,
  modelMetadataSchema,
  ONNX_PLATFORM,
  requestedOutputs,
  type WantedOutput,
} from './inference-protocol.ts';
export {
  FIELD_KINDS,
  type Field,
  type FieldKind,
  fieldElementProblem,
  fieldSchema,
  isBinaryField,
} from './input-field.ts';
export { parseJson, stringifyJson } from './json.ts';
export { formatLane, inputBatchAxis, type LanePart, laneOf, parseLane } from './lane.ts';
export { maskTensor, scalarBytes } from './mask-tensor.ts';
export {
  arrangeRows,
  type InputReference,
  type ModelInputs,
  parseModelInputs,
} from './model-inputs.ts';
export {
  type BatchingSettings,
  batchingSettingsSchema,
  type ModelStats,
  modelStatsSchema,
  type QueueSettings,
  queueSettingsSchema,
  type ServedModel,
  type ServedVersion,
  servedModelSchema,
  servedVersionSchema,
  type TakenWish,
  takenWishSchema,
  type WorkerRecord,
  workerRecordSchema,
} from './model-record.ts';
export {
  type ModelSignature,
  modelSignatureSchema,
  type TensorSpec,
  tensorSpecSchema,
} from './model-signature.ts';
export {
  type AxisReference,
  type CutBack,
  cutExtent,
  type PaddedAxis,
  type Padding,
  ROUNDINGS,
} from './padding.ts';
export {
  type CreatePrediction,
  createPredictionAnywhereSchema,
  createPredictionSchema,
  errorBodySchema,
  isTerminal,
  MAX_METADATA_BYTES,
  MAX_TIMEOUT_MS,
  MODEL_NAME_PATTERN,
  PREDICTION_ID_PATTERN,
  PREDICTION_STATUSES,
  PRIORITIES,
  type Prediction,
  type PredictionError,
  type PredictionMetrics,
  type PredictionStatus,
  type Priority,
  predictionListSchema,
  predictionSchema,
  type WirePrediction,
} from './prediction.ts';
export { predictionToWire, type WireObject } from './prediction-to-wire.ts';
export {
  assertByteLength,
  assertShape,
  elementCount,
  formatShape,
  invalidInput,
  MAX_ELEMENTS,
  MAX_RANK,
  type Tensor,
} from './tensor.ts';
export {
  assertTensorFits,
  type ParsedTensor,
  type TensorForm,
  tensorFromJson,
} from './tensor-from-json.ts';
export { decodeTensors, encodeTensors } from './tensor-message.ts';
export {
  type BatchAxis,
  batchAxisOf,
  concatRows,
  sliceRows,
  withRows,
} from './tensor-rows.ts';
export { type JsonTensor, tensorToJson } from './tensor-to-json.ts';
export {
  BATCH_PHASES,
  BATCH_ROWS_BOUNDS,
  type BatchPhase,
  batchRowsBucket,
  mergeVersionStats,
  type VersionStats,
  versionStatsSchema,
} from './version-stats.ts';
export { WEBHOOK_EVENTS, type WebhookEvent } from './webhook-events.ts';
