import { z } from 'zod';
import { DATATYPES } from './datatypes.ts';
import { show } from './error-text.ts';
import { QuernError } from './errors.ts';
import { arrangeRows, type ModelInputs } from './model-inputs.ts';
import type { ModelSignature } from './model-signature.ts';
import type { WireObject } from './prediction-to-wire.ts';
import { formatShape, invalidInput, type Tensor } from './tensor.ts';
import { assertTensorFits, readShape, tensorFromData } from './tensor-from-json.ts';
import { flatJsonElements } from './tensor-to-json.ts';

/**
 * The JSON form of the Open Inference Protocol v2. FP16, for which the protocol has none, is taken as
 * numbers.
 * Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md
 */
export const ONNX_PLATFORM = 'onnx_onnxv1';

const parametersSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

/** Body of `POST /v2/models/{model}/infer`. */
export const inferRequestSchema = z
  .object({
    id: z.string().max(256).optional(),
    parameters: parametersSchema.optional(),
    inputs: z.array(
      z.object({
        name: z.string(),
        shape: z.unknown().meta({ type: 'array', items: { type: 'integer' } }),
        datatype: z.string(),
        parameters: parametersSchema.optional(),
        data: z.unknown().meta({ type: 'array', items: {} }),
      }),
    ),
    outputs: z
      .array(z.object({ name: z.string(), parameters: parametersSchema.optional() }))
      .optional(),
  })
  .meta({ id: 'InferRequest' });
export type InferRequest = z.infer<typeof inferRequestSchema>;

export const inferResponseSchema = z
  .object({
    model_name: z.string(),
    model_version: z.string(),
    id: z.string().optional(),
    outputs: z.array(
      z.object({
        name: z.string(),
        shape: z.array(z.number().int()),
        datatype: z.enum(DATATYPES),
        data: z.array(z.unknown()),
      }),
    ),
  })
  .meta({ id: 'InferResponse' });

export const modelMetadataSchema = z
  .object({
    name: z.string(),
    versions: z.array(z.string()),
    platform: z.string(),
    inputs: z.array(
      z.object({ name: z.string(), datatype: z.enum(DATATYPES), shape: z.array(z.number().int()) }),
    ),
    outputs: z.array(
      z.object({ name: z.string(), datatype: z.enum(DATATYPES), shape: z.array(z.number().int()) }),
    ),
  })
  .meta({ id: 'ModelMetadata' });

/**
 * Reads the inputs of an infer request against a signature, in the signature's order.
 * @throws QuernError `INVALID_INPUT` naming the field
 */
export function parseInferInputs(
  request: InferRequest,
  signature: ModelSignature,
): Omit<ModelInputs, 'form'> {
  const expected = signature.inputs.map((spec) => spec.name);
  const byName = new Map<string, Tensor>();
  request.inputs.forEach((input, index) => {
    const path = `inputs[${index}]`;
    const spec = signature.inputs.find(({ name }) => name === input.name);
    if (spec === undefined || byName.has(input.name)) {
      const problem = spec === undefined ? 'unknown' : 'repeated';
      throw invalidInput(
        `${path}.name`,
        `${problem} input ${show(input.name)}, expected ${expected.join(', ')}`,
      );
    }
    if (input.datatype !== spec.datatype) {
      throw invalidInput(
        `${path}.datatype`,
        `got ${show(input.datatype)}, expected ${spec.datatype} for ${spec.name}`,
      );
    }
    const shape = readShape(input.shape, `${path}.shape`);
    assertTensorFits(shape, spec, `${path}.shape`);
    byName.set(spec.name, tensorFromData(input.data, shape, spec, `${path}.data`));
  });
  const tensors = signature.inputs.map((spec) => {
    const tensor = byName.get(spec.name);
    if (tensor === undefined) {
      const problem = `${spec.name} is missing, expected ${spec.datatype} ${formatShape(spec.shape)}`;
      throw invalidInput('inputs', problem);
    }
    return tensor;
  });
  return arrangeRows(tensors, signature, 'inputs');
}

/**
 * The names of the outputs that a request asks for; all where it names none.
 * @throws QuernError `INVALID_REQUEST` for an output that the model does not have, or one named twice
 */
export function requestedOutputs(request: InferRequest, signature: ModelSignature): string[] {
  const all = signature.outputs.map((spec) => spec.name);
  if (request.outputs === undefined || request.outputs.length === 0) return all;
  const wanted = new Set<string>();
  request.outputs.forEach(({ name }, index) => {
    if (!all.includes(name) || wanted.has(name)) {
      const problem = wanted.has(name) ? 'repeated' : 'unknown';
      const path = `outputs[${index}].name`;
      throw new QuernError(
        'INVALID_REQUEST',
        `${path}: ${problem} output ${show(name)}, expected ${all.join(', ')}`,
        { details: { path } },
      );
    }
    wanted.add(name);
  });
  return [...wanted];
}

/** The answer to an infer request, as the code holds it. */
export interface InferAnswer {
  readonly model: string;
  readonly version: number;
  readonly id: string | undefined;
  readonly outputs: readonly Tensor[];
}

/** An infer response; tensors as flat row-major data. FP16, which the protocol leaves out, as numbers. */
export function inferResponseToWire(
  answer: InferAnswer,
): WireObject<z.infer<typeof inferResponseSchema>> {
  let holdsBigints = false;
  const outputs = answer.outputs.map((tensor) => {
    const flat = flatJsonElements(tensor);
    holdsBigints ||= flat.holdsBigints;
    return {
      name: tensor.name,
      shape: [...tensor.shape],
      datatype: tensor.datatype,
      data: flat.elements,
    };
  });
  const body = {
    model_name: answer.model,
    model_version: String(answer.version),
    ...(answer.id !== undefined && { id: answer.id }),
    outputs,
  };
  return { body, holdsBigints };
}
