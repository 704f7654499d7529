export { QuernClient } from './client.ts';
export type { PredictManyOptions, PredictOptions, QuernClientOptions } from './client-options.ts';
export type { Datatype, TypedArray } from './datatypes.ts';
export { API_ERROR_CODES, type ApiErrorCode, type ErrorCode } from './error-codes.ts';
export {
  ApiError,
  ConnectionError,
  QuernError,
  WaitTimeoutError,
} from './errors.ts';
export { decodeFloat16, encodeFloat16 } from './float16.ts';
export type { Fetch } from './http-transport.ts';
export type { FieldInfo, ModelInfo, ModelState, TensorInfo, VersionInfo } from './model-info.ts';
export { type Nested, type PlainValue, toNestedArrays } from './nested-arrays.ts';
export type { ManyOptions, ManyResult } from './predict-many.ts';
export {
  isTerminal,
  type Prediction,
  type PredictionMetrics,
  type PredictionStatus,
} from './prediction.ts';
export type { ListOptions, SubmitOptions, WaitOptions } from './prediction-calls.ts';
export { PredictionError } from './prediction-error.ts';
export { PredictionHandle } from './prediction-handle.ts';
export { isTensor, type Tensor, tensor } from './tensor.ts';
export type { Input } from './tensor-to-wire.ts';
export type {
  AnyModel,
  AnyModels,
  ModelTypes,
  PlainInputs,
  PlainOutputs,
  TensorInputs,
  TensorOutputs,
} from './typed-models.ts';
export {
  type VerifiedWebhook,
  verifyWebhook,
  WebhookError,
  type WebhookHeaders,
  type WebhookOptions,
  type WebhookProblem,
} from './webhook.ts';
