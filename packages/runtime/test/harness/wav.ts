/** One way to write samples. */
export interface WavEncoding {
  readonly tag: 1 | 3;
  readonly bits: 8 | 16 | 24 | 32 | 64;
  readonly isExtensible?: boolean;
}

export interface WavContent {
  readonly sampleRateHz: number;
  /** Samples from -1 to 1, all of one length. */
  readonly channels: readonly (readonly number[])[];
  /** A chunk between `fmt ` and `data`. */
  readonly extra?: Uint8Array | undefined;
}

/** A WAV file as a recorder writes it. */
export function wav({ tag, bits, isExtensible = false }: WavEncoding, content: WavContent): Buffer {
  const { sampleRateHz, channels, extra } = content;
  const length = channels[0]?.length ?? 0;
  const sampleBytes = bits / 8;
  const format = Buffer.alloc(isExtensible ? 40 : 16);
  format.writeUInt16LE(isExtensible ? 0xff_fe : tag, 0);
  format.writeUInt16LE(channels.length, 2);
  format.writeUInt32LE(sampleRateHz, 4);
  format.writeUInt32LE(sampleRateHz * channels.length * sampleBytes, 8);
  format.writeUInt16LE(channels.length * sampleBytes, 12);
  format.writeUInt16LE(bits, 14);
  if (isExtensible) {
    format.writeUInt16LE(22, 16);
    format.writeUInt16LE(bits, 18);
    format.writeUInt16LE(tag, 24);
    Buffer.from('000000001000800000aa00389b71', 'hex').copy(format, 26);
  }
  const data = Buffer.alloc(length * channels.length * sampleBytes);
  for (let i = 0, at = 0; i < length; i++) {
    for (const samples of channels) {
      writeSample(data, at, samples[i] ?? 0, { tag, bits });
      at += sampleBytes;
    }
  }
  const chunks = [
    chunk('fmt ', format),
    ...(extra === undefined ? [] : [chunk('LIST', extra)]),
    chunk('data', data),
  ];
  const body = Buffer.concat([Buffer.from('WAVE'), ...chunks]);
  return Buffer.concat([chunk('RIFF', body)]);
}

/** What a sample becomes when it is written and read. */
export function quantised(sample: number, { tag, bits }: WavEncoding): number {
  if (tag === 3) return bits === 64 ? sample : Math.fround(sample);
  const steps = 2 ** (bits - 1);
  // Integers have no negative zero.
  return Math.max(-steps, Math.min(steps - 1, Math.round(sample * steps))) / steps + 0;
}

function writeSample(data: Buffer, at: number, sample: number, encoding: WavEncoding): void {
  const { tag, bits } = encoding;
  if (tag === 3) {
    if (bits === 64) data.writeDoubleLE(sample, at);
    else data.writeFloatLE(sample, at);
    return;
  }
  const value = quantised(sample, encoding) * 2 ** (bits - 1);
  if (bits === 8) data.writeUInt8(value + 128, at);
  else data.writeIntLE(value, at, bits / 8);
}

function chunk(id: string, content: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.write(id, 0, 'latin1');
  header.writeUInt32LE(content.byteLength, 4);
  return Buffer.concat([header, content, Buffer.alloc(content.byteLength % 2)]);
}
