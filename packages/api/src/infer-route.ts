import { isTerminal, type Prediction, QuernError } from '@quern/contract';
import type { ModelTarget, Submission } from '@quern/queue';
import { sendError } from './error-responses.ts';
import { withdrawIfAbandoned } from './hang-up.ts';
import { answerTo, type InferCall, inferCall } from './infer-call.ts';
import { sendInferAnswer } from './infer-response.ts';
import { type InferSchedule, readSchedule } from './infer-schedule.ts';
import { placeOrder } from './prediction-door.ts';
import type { RouteDeps } from './route-deps.ts';
import { type Handler, optionalParameter, pathParameter } from './routes.ts';
import { waitSignal } from './wait-signal.ts';

/** One synchronous wait for a prediction. */
interface Wait {
  readonly schedule: InferSchedule;
  readonly startedAtMs: number;
  readonly signal: AbortSignal;
}

/**
 * `POST /v2/models/{model}/infer`: a prediction through the queue whose end is awaited. It answers with
 * the outputs, with the prediction's fault, or with 504 if neither came in time. Tensors in binary form
 * go into Redis, and come out of it, as they are.
 */
export function infer(deps: RouteDeps): Handler {
  return async (request, response, context) => {
    const model = pathParameter(request, 'model');
    context.submission = deps.queue.registry.model(model) === undefined ? {} : { model };
    const call = inferCall(await deps.bodies.infer(request, response));
    const schedule = readSchedule(call.parameters);
    const signal = waitSignal(response, deps.stopping);
    const wait: Wait = { schedule, startedAtMs: performance.now(), signal };
    const timeoutMs = Math.min(deps.syncWaitMs, schedule.timeoutMs ?? deps.syncWaitMs);
    const submitted = await placeOrder(deps, context, {
      model,
      version: optionalParameter(request, 'version'),
      compose: (target) => submissionFrom(call, target, schedule),
      wait: { timeoutMs, signal },
    });
    await withdrawIfAbandoned(deps, response, submitted);
    const { prediction, target } = submitted;
    const ended = isTerminal(prediction.status)
      ? prediction
      : await untilEndedOrLate(deps, prediction, wait);
    if (ended.outputs === undefined) {
      sendError(request, response, failureOf(ended));
      return;
    }
    sendInferAnswer(response, answerTo(call, target, ended, ended.outputs));
  };
}

function submissionFrom(
  call: InferCall,
  target: ModelTarget,
  { priority, timeoutMs }: InferSchedule,
): Submission {
  if (target.model.isUnloaded) throw unloaded(target.model.name);
  const inputs = call.inputs(target.signature);
  const wanted = call.outputs(target.signature);
  const isAll = wanted.length === target.signature.outputs.length;
  return {
    target,
    inputs: { ...inputs, form: 'flat' },
    priority,
    ...(!isAll && { outputs: wanted.map(({ name }) => name) }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}

/** It could wait for the model to come back, but its caller could hardly. */
function unloaded(model: string): QuernError {
  return new QuernError(
    'MODEL_UNAVAILABLE',
    `Model ${model} was unloaded by an administrator: POST /v2/repository/models/${model}/load brings it back. ` +
      'Predictions made through /v1 wait for that.',
    { details: { retryAfterSeconds: 5 } },
  );
}

/**
 * A deadline limits the time in the queue: a prediction that runs by then may still end in the time
 * that is left for the wait.
 * @throws QuernError `SHUTTING_DOWN`, `DEADLINE_EXCEEDED` or `WAIT_TIMEOUT`
 */
async function untilEndedOrLate(
  { queue, stopping, syncWaitMs }: RouteDeps,
  { id }: Prediction,
  { schedule, startedAtMs, signal }: Wait,
): Promise<Prediction> {
  const leftMs = syncWaitMs - (performance.now() - startedAtMs);
  let last = await queue.get(id);
  if (last?.status === 'processing' && leftMs > 0) {
    last = await queue.wait(id, { timeoutMs: leftMs, signal });
  }
  if (last !== undefined && isTerminal(last.status)) return last;
  if (stopping.aborted) {
    const message = `The server is stopping; the prediction goes on: GET /v1/predictions/${id}`;
    throw new QuernError('SHUTTING_DOWN', message);
  }
  const { timeoutMs } = schedule;
  if (timeoutMs !== undefined && last?.status !== 'processing') {
    throw new QuernError(
      'DEADLINE_EXCEEDED',
      `The prediction did not start within its timeout of ${timeoutMs} ms.`,
    );
  }
  throw new QuernError(
    'WAIT_TIMEOUT',
    `No result within ${syncWaitMs} ms; the prediction goes on: GET /v1/predictions/${id}`,
  );
}

function failureOf({ id, error }: Prediction): QuernError {
  if (error !== undefined) return new QuernError(error.code, error.message);
  const message = `The result of prediction ${id} is no longer in Redis: its retention has ended.`;
  return new QuernError('PAYLOAD_MISSING', message);
}
