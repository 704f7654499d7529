/** One infer request, ready to be sent again and again. */
export interface InferBody {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** The same input `x` of FP32 as JSON and in binary form. */
export interface InferBodies {
  readonly json: InferBody;
  readonly binary: InferBody;
}

/** @param shape with the batch dimension */
export function inferBodies(shape: readonly number[], values: Float32Array): InferBodies {
  const tensor = { name: 'x', shape, datatype: 'FP32' };
  const elements = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const parameters = { binary_data_size: elements.byteLength };
  const header = Buffer.from(
    JSON.stringify({
      inputs: [{ ...tensor, parameters }],
      parameters: { binary_data_output: true },
    }),
  );
  return {
    json: {
      body: Buffer.from(JSON.stringify({ inputs: [{ ...tensor, data: Array.from(values) }] })),
      headers: { 'content-type': 'application/json' },
    },
    binary: {
      body: Buffer.concat([header, elements]),
      headers: {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': String(header.byteLength),
      },
    },
  };
}
