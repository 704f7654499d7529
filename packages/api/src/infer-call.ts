import {
  batchAxisOf,
  classify,
  type InferAnswer,
  type InferRequest,
  inferRequestSchema,
  type ModelInputs,
  type ModelSignature,
  type Prediction,
  parseInferInputs,
  parseRawInput,
  requestedOutputs,
  type Tensor,
  type WantedOutput,
} from '@quern/contract';
import type { ModelTarget } from '@quern/queue';
import type { InferBody } from './request-body.ts';
import { parseRequest } from './request-schema.ts';

/** An infer request, whichever way its tensors came. */
export interface InferCall {
  readonly id: string | undefined;
  readonly parameters: InferRequest['parameters'];
  readonly inputs: (signature: ModelSignature) => Omit<ModelInputs, 'form'>;
  readonly outputs: (signature: ModelSignature) => WantedOutput[];
}

/** @throws QuernError `INVALID_REQUEST` */
export function inferCall(body: InferBody): InferCall {
  if (body.kind === 'raw') {
    return {
      id: undefined,
      parameters: undefined,
      inputs: (signature) => parseRawInput(body.bytes, signature),
      // Who sends no JSON expects none.
      outputs: ({ outputs }) => outputs.map(({ name }) => ({ name, binary: true })),
    };
  }
  const request = parseRequest(inferRequestSchema, body.json, 'body');
  return {
    id: request.id,
    parameters: request.parameters,
    inputs: (signature) => parseInferInputs(request, signature, body.binary),
    outputs: (signature) => requestedOutputs(request, signature),
  };
}

/**
 * The outputs of a prediction as the call wants them.
 * @param outputs the prediction's, in the order of the signature
 */
export function answerTo(
  call: InferCall,
  target: ModelTarget,
  prediction: Pick<Prediction, 'model' | 'version'>,
  outputs: readonly Tensor[],
): InferAnswer {
  const { signature } = target;
  const { model, version } = prediction;
  const answered = call.outputs(signature).flatMap(({ name, binary, classes }) => {
    const tensor = outputs.find((output) => output.name === name);
    if (tensor === undefined) return [];
    if (classes === undefined) return [{ tensor, binary }];
    return [{ tensor: classify(tensor, classification(target, name, classes)), binary }];
  });
  return { model, version, id: call.id, outputs: answered };
}

function classification({ model, version, signature }: ModelTarget, name: string, count: number) {
  const spec = signature.outputs.find((output) => output.name === name);
  const labels = model.versions.find((served) => served.version === version)?.labels ?? [];
  const axis = signature.batchable && spec !== undefined ? batchAxisOf(spec) : null;
  return { count, labels, axis };
}
