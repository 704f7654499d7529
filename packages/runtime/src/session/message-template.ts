import type { Tensor } from '@quern/contract';

/**
 * The layout of a tensor message. Predictions that share a batch have messages which differ in their
 * data alone: with the first one's layout the others are read and written without parsing or printing
 * a header, which for small tensors is most of the work.
 */
export class MessageTemplate {
  readonly #header: Buffer;
  readonly #byteLength: number;
  readonly #tensors: readonly Tensor[];

  /**
   * The template of a message and the tensors in it; undefined if the lengths of its data say nothing
   * about other messages, as with BYTES.
   */
  static of(message: Uint8Array, tensors: readonly Tensor[]): MessageTemplate | undefined {
    if (tensors.some((tensor) => tensor.datatype === 'BYTES')) return undefined;
    return new MessageTemplate(message, tensors);
  }

  private constructor(message: Uint8Array, tensors: readonly Tensor[]) {
    const dataBytes = tensors.reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
    const headerBytes = message.byteLength - dataBytes;
    this.#header = Buffer.from(message.buffer, message.byteOffset, headerBytes);
    this.#byteLength = message.byteLength;
    this.#tensors = tensors;
  }

  /** Whether a message has exactly this header and as much data. */
  matches(message: Uint8Array): boolean {
    if (message.byteLength !== this.#byteLength) return false;
    const header = message.subarray(0, this.#header.byteLength);
    return this.#header.equals(header);
  }

  /** The tensors of a message that matches; their data are views into it. */
  decode(message: Uint8Array): Tensor[] {
    let offset = this.#header.byteLength;
    return this.#tensors.map(({ name, datatype, shape, data: { byteLength } }) => {
      const data = message.subarray(offset, offset + byteLength);
      offset += byteLength;
      return { name, datatype, shape, data };
    });
  }

  /** Writes messages with other data of the same lengths, all into one new buffer. */
  encodeAll(messages: readonly (readonly Uint8Array[])[]): Uint8Array[] {
    const all = Buffer.allocUnsafeSlow(this.#byteLength * messages.length);
    let offset = 0;
    return messages.map((parts) => {
      const start = offset;
      all.set(this.#header, offset);
      offset += this.#header.byteLength;
      for (const part of parts) {
        all.set(part, offset);
        offset += part.byteLength;
      }
      return new Uint8Array(all.buffer, all.byteOffset + start, this.#byteLength);
    });
  }
}
