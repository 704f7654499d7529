import { encodeBytesElements } from './bytes-elements.ts';
import { DATATYPE_TRAITS } from './datatypes.ts';
import { show } from './error-text.ts';
import { fieldFromData, isFieldSpec } from './field-from-json.ts';
import type { InferRequest } from './inference-protocol.ts';
import { arrangeRows, type ModelInputs } from './model-inputs.ts';
import type { ModelSignature, TensorSpec } from './model-signature.ts';
import { elementCount, formatShape, invalidInput, type Tensor } from './tensor.ts';
import { tensorFromBinary } from './tensor-from-binary.ts';
import { assertTensorFits, readShape, tensorFromData } from './tensor-from-json.ts';
import { batchAxisOf } from './tensor-rows.ts';

type InferInput = InferRequest['inputs'][number];

/**
 * Reads the inputs of an infer request against a signature, in the signature's order.
 * @param binary what follows the JSON in the body: the elements of the inputs that have a
 *   `binary_data_size`, one right after the other; undefined for a body that is only JSON. Tensors
 *   are views into it.
 * @throws QuernError `INVALID_INPUT` naming the field
 */
export function parseInferInputs(
  request: InferRequest,
  signature: ModelSignature,
  binary?: Uint8Array,
): Omit<ModelInputs, 'form'> {
  const expected = signature.inputs.map((spec) => spec.name);
  const byName = new Map<string, Tensor>();
  const section = new BinarySection(binary);
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
    byName.set(spec.name, readInput(input, spec, section, path));
  });
  section.assertUsedUp();
  const tensors = signature.inputs.map((spec) => {
    const tensor = byName.get(spec.name);
    if (tensor === undefined && spec.maskOf === undefined) {
      const problem = `${spec.name} is missing, expected ${spec.datatype} ${formatShape(spec.shape)}`;
      throw invalidInput('inputs', problem);
    }
    return tensor;
  });
  return arrangeRows(tensors, signature, 'inputs');
}

function readInput(
  input: InferInput,
  spec: TensorSpec,
  section: BinarySection,
  path: string,
): Tensor {
  if (input.datatype !== spec.datatype) {
    throw invalidInput(
      `${path}.datatype`,
      `got ${show(input.datatype)}, expected ${spec.datatype} for ${spec.name}`,
    );
  }
  const shape = readShape(input.shape, `${path}.shape`);
  assertTensorFits(shape, spec, `${path}.shape`);
  const size = input.parameters?.['binary_data_size'];
  if (size === undefined) {
    const at = `${path}.data`;
    return isFieldSpec(spec)
      ? fieldFromData(input.data, shape, spec, at)
      : tensorFromData(input.data, shape, spec, at);
  }
  if (input.data !== undefined) {
    throw invalidInput(path, 'got both data and binary_data_size, expected one of them');
  }
  const data = section.take(size, `${path}.parameters.binary_data_size`);
  return tensorFromBinary(data, shape, spec, path);
}

/** The bytes behind the JSON, taken from their start. */
class BinarySection {
  readonly #bytes: Uint8Array | undefined;
  #offset = 0;

  constructor(bytes: Uint8Array | undefined) {
    this.#bytes = bytes;
  }

  take(size: unknown, path: string): Uint8Array {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw invalidInput(path, `got ${show(size)}, expected a number of bytes`);
    }
    if (this.#bytes === undefined) {
      const problem = 'the request has no Inference-Header-Content-Length, so no binary part';
      throw invalidInput(path, `got ${size}, but ${problem}`);
    }
    const left = this.#bytes.byteLength - this.#offset;
    if (size > left) throw invalidInput(path, `claims ${size} bytes, but ${left} are left`);
    this.#offset += size;
    return this.#bytes.subarray(this.#offset - size, this.#offset);
  }

  assertUsedUp(): void {
    const left = (this.#bytes?.byteLength ?? 0) - this.#offset;
    if (left > 0) throw invalidInput('body', `${left} bytes are left over after the inputs`);
  }
}

/**
 * Reads a body that is nothing but the elements of a model's only input: one row, and what is variable
 * in its shape follows from the number of bytes. For BYTES the whole body is the one element.
 * @throws QuernError `INVALID_INPUT` if the model cannot be called that way, or the bytes do not fit
 */
export function parseRawInput(
  body: Uint8Array,
  signature: ModelSignature,
): Omit<ModelInputs, 'form'> {
  const [spec] = signature.inputs;
  if (spec === undefined || signature.inputs.length !== 1) {
    const names = signature.inputs.map(({ name }) => name).join(', ');
    throw invalidInput('body', `a raw body is for models of one input, but there are: ${names}`);
  }
  const data = spec.datatype === 'BYTES' ? encodeBytesElements([body]) : body;
  const shape = rawShape(body.byteLength, spec, signature.batchable);
  return arrangeRows([tensorFromBinary(data, shape, spec, 'body')], signature, 'body');
}

function rawShape(byteLength: number, spec: TensorSpec, batchable: boolean): number[] {
  const rowAxis = batchable ? batchAxisOf(spec) : null;
  const shape = spec.shape.map((extent, axis) => (axis === rowAxis ? 1 : extent));
  const variable = shape.flatMap((extent, axis) => (extent === -1 ? [axis] : []));
  const [axis] = variable;
  if (axis === undefined) return shape;
  if (variable.length > 1) {
    const problem = `${spec.name} has more than one variable dimension ${formatShape(spec.shape)}`;
    throw invalidInput('body', `a raw body cannot say its shape: ${problem}; send a header`);
  }
  if (spec.datatype === 'BYTES') return shape.with(axis, 1);
  const { bytes } = DATATYPE_TRAITS[spec.datatype];
  const perStep = elementCount(shape.with(axis, 1)) * bytes;
  // What does not divide evenly is refused for its length.
  return shape.with(axis, perStep === 0 ? 0 : Math.floor(byteLength / perStep));
}
