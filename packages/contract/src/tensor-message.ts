import { z } from 'zod';
import { DATATYPES } from './datatypes.ts';
import { assertByteLength, assertShape, invalidInput, type Tensor } from './tensor.ts';

/**
 * Tensors as one block of bytes, as they lie in Redis and pass between processes: a uint32
 * little-endian header length, a JSON header, then the raw data of each tensor in the header's order.
 * Header and data are the binary tensor data extension of the Open Inference Protocol; over HTTP the
 * header's length stands in `Inference-Header-Content-Length` instead of in front.
 */
const headerSchema = z.object({
  tensors: z.array(
    z.object({
      name: z.string(),
      datatype: z.enum(DATATYPES),
      shape: z.array(z.number().int().nonnegative()),
      parameters: z.object({ binary_data_size: z.number().int().nonnegative() }),
    }),
  ),
});

const LENGTH_BYTES = 4;
/** Tensor data starts at a multiple of this, so that it can be read in place. */
const ALIGNMENT = 8;

/** Encodes tensors into a new buffer; one copy of the data. */
export function encodeTensors(tensors: readonly Tensor[]): Uint8Array {
  const header = JSON.stringify({
    tensors: tensors.map(({ name, datatype, shape, data }) => ({
      name,
      datatype,
      shape,
      parameters: { binary_data_size: data.byteLength },
    })),
  });
  const headerBytes = Buffer.byteLength(header);
  // JSON may end in spaces: they bring the first tensor to an aligned offset.
  const padding = (ALIGNMENT - ((LENGTH_BYTES + headerBytes) % ALIGNMENT)) % ALIGNMENT;
  const dataBytes = tensors.reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
  const message = Buffer.allocUnsafeSlow(LENGTH_BYTES + headerBytes + padding + dataBytes);
  message.writeUInt32LE(headerBytes + padding, 0);
  message.write(header, LENGTH_BYTES);
  message.fill(0x20, LENGTH_BYTES + headerBytes, LENGTH_BYTES + headerBytes + padding);
  let offset = LENGTH_BYTES + headerBytes + padding;
  for (const tensor of tensors) {
    message.set(tensor.data, offset);
    offset += tensor.data.byteLength;
  }
  return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
}

/**
 * Decodes tensors; their data are views into `message`.
 * @throws QuernError `INVALID_INPUT` if the header is malformed, or a length lies or leaves bytes over
 */
export function decodeTensors(message: Uint8Array): Tensor[] {
  const { header, dataOffset } = readHeader(message);
  // A plain view, also of a Buffer: its subarrays would be Buffers, whose `slice` does not copy.
  const bytes = new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
  let offset = dataOffset;
  const tensors = header.tensors.map(({ name, datatype, shape, parameters }, index) => {
    const path = `tensors[${index}]`;
    const size = parameters.binary_data_size;
    if (size > bytes.byteLength - offset) {
      throw invalidInput(path, `claims ${size} bytes, but ${bytes.byteLength - offset} are left`);
    }
    const data = bytes.subarray(offset, offset + size);
    const tensor: Tensor = { name, datatype, shape, data };
    assertShape(shape, `${path}.shape`);
    assertByteLength(tensor, path);
    offset += size;
    return tensor;
  });
  if (offset !== bytes.byteLength) {
    throw invalidInput('message', `${bytes.byteLength - offset} bytes are left over`);
  }
  return tensors;
}

function readHeader(message: Uint8Array): {
  header: z.infer<typeof headerSchema>;
  dataOffset: number;
} {
  const buffer = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  if (buffer.byteLength < LENGTH_BYTES) {
    throw invalidInput(
      'message',
      `got ${buffer.byteLength} bytes, expected at least ${LENGTH_BYTES}`,
    );
  }
  const headerBytes = buffer.readUInt32LE(0);
  const dataOffset = LENGTH_BYTES + headerBytes;
  if (dataOffset > buffer.byteLength) {
    const left = buffer.byteLength - LENGTH_BYTES;
    throw invalidInput('message', `claims a header of ${headerBytes} bytes, but ${left} are left`);
  }
  const parsed = headerSchema.safeParse(
    parseHeaderJson(buffer.toString('utf8', LENGTH_BYTES, dataOffset)),
  );
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalidInput('header', `${issue?.path.join('.')}: ${issue?.message}`);
  }
  return { header: parsed.data, dataOffset };
}

function parseHeaderJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidInput('header', 'got text that is not JSON');
  }
}
