import { z } from 'zod';
import { DATATYPES } from './datatypes.ts';
import { show } from './error-text.ts';
import { QuernError } from './errors.ts';
import type { ModelSignature, TensorSpec } from './model-signature.ts';

/**
 * The bodies of the Open Inference Protocol v2. FP16, for which its JSON form has none, is taken as
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
        /** Absent if the elements follow the JSON in binary form (`parameters.binary_data_size`). */
        data: z.unknown().optional().meta({ type: 'array', items: {} }),
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
        parameters: z.object({ binary_data_size: z.number().int() }).optional(),
        data: z.array(z.unknown()).optional(),
      }),
    ),
  })
  .meta({ id: 'InferResponse' });
export type InferResponse = z.infer<typeof inferResponseSchema>;

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

/** An output that a request asks for, and in which form. */
export interface WantedOutput {
  readonly name: string;
  /** In binary form behind the JSON. */
  readonly binary: boolean;
  /** So many best classes instead of the scores (the classification extension). */
  readonly classes?: number;
}

/**
 * The outputs that a request asks for; all where it names none.
 * @throws QuernError `INVALID_REQUEST` for an output that the model does not have, or one named twice,
 *   and for parameters of an output that make no sense
 */
export function requestedOutputs(
  { outputs = [], parameters }: InferRequest,
  signature: ModelSignature,
): WantedOutput[] {
  const binary = readFlag(parameters?.['binary_data_output'], 'parameters.binary_data_output');
  const all = signature.outputs.map(({ name }) => name);
  if (outputs.length === 0) return all.map((name) => ({ name, binary: binary ?? false }));
  const seen = new Set<string>();
  return outputs.map(({ name, parameters: own }, index) => {
    const path = `outputs[${index}]`;
    const spec = signature.outputs.find((candidate) => candidate.name === name);
    if (spec === undefined || seen.has(name)) {
      const problem = seen.has(name) ? 'repeated' : 'unknown';
      throw invalid(`${path}.name`, `${problem} output ${show(name)}, expected ${all.join(', ')}`);
    }
    seen.add(name);
    const ownBinary = readFlag(own?.['binary_data'], `${path}.parameters.binary_data`);
    const classes = readClasses(own?.['classification'], spec, `${path}.parameters.classification`);
    return {
      name,
      binary: ownBinary ?? binary ?? false,
      ...(classes !== undefined && { classes }),
    };
  });
}

function readFlag(value: unknown, path: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw invalid(path, `got ${show(value)}, expected true or false`);
}

function readClasses(value: unknown, spec: TensorSpec, path: string): number | undefined {
  // Clients of the protocol send 0 for "none".
  if (value === undefined || value === 0) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw invalid(path, `got ${show(value)}, expected how many classes`);
  }
  if (spec.datatype === 'BYTES') throw invalid(path, `${spec.name} is text, which has no classes`);
  return value;
}

function invalid(path: string, problem: string): QuernError {
  return new QuernError('INVALID_REQUEST', `${path}: ${problem}`, { details: { path } });
}
