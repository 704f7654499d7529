import type { InferResponse } from './inference-protocol.ts';
import type { Tensor } from './tensor.ts';
import { flatJsonElements } from './tensor-to-json.ts';

/** An output of an infer request, and whether it goes behind the JSON in binary form. */
export interface AnsweredOutput {
  readonly tensor: Tensor;
  readonly binary: boolean;
}

/** The answer to an infer request, as the code holds it. */
export interface InferAnswer {
  readonly model: string;
  readonly version: number;
  readonly id: string | undefined;
  readonly outputs: readonly AnsweredOutput[];
}

export interface InferMessage {
  readonly body: InferResponse;
  /** True if the body holds integers that only a bigint can hold: write it with `stringifyJson`. */
  readonly holdsBigints: boolean;
  /** What follows the JSON: the elements of the binary outputs, in their order. Empty if all are JSON. */
  readonly binary: readonly Uint8Array[];
}

/**
 * An infer response: outputs as flat row-major JSON (FP16, which the protocol leaves out, as numbers),
 * or as the binary form of the tensor, which is passed on as it is.
 */
export function inferResponseToWire(answer: InferAnswer): InferMessage {
  let holdsBigints = false;
  const binary: Uint8Array[] = [];
  const outputs = answer.outputs.map(({ tensor, binary: isBinary }) => {
    const { name, datatype } = tensor;
    const head = { name, shape: [...tensor.shape], datatype };
    if (isBinary) {
      binary.push(tensor.data);
      return { ...head, parameters: { binary_data_size: tensor.data.byteLength } };
    }
    const flat = flatJsonElements(tensor);
    holdsBigints ||= flat.holdsBigints;
    return { ...head, data: flat.elements };
  });
  const body = {
    model_name: answer.model,
    model_version: String(answer.version),
    ...(answer.id !== undefined && { id: answer.id }),
    outputs,
  };
  return { body, holdsBigints, binary };
}
