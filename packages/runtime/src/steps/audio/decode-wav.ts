import { invalidWav } from './invalid-wav.ts';
import { readWavFormat, type WavFormat } from './wav-format.ts';

/** Decoded sound: samples from -1 to 1, one array for each channel. */
export interface Sound {
  readonly sampleRateHz: number;
  /** At least one, all of one length. */
  readonly channels: readonly Float32Array[];
}

/** What programs write as the length of a file that they send while they record it. */
const LENGTH_UNKNOWN = 0xff_ff_ff_ff;
const CHUNK_HEADER_BYTES = 8;
const RIFF_HEADER_BYTES = 12;

/** Which way samples of a kind are read, at a byte offset; integers are scaled to -1 to 1. */
const SAMPLE_READERS: Readonly<Record<string, (view: DataView, at: number) => number>> = {
  // 8 bits are the only ones without a sign.
  'PCM 8': (view, at) => (view.getUint8(at) - 128) / 128,
  'PCM 16': (view, at) => view.getInt16(at, true) / 32_768,
  'PCM 24': (view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 65_536) / 8_388_608,
  'PCM 32': (view, at) => view.getInt32(at, true) / 2_147_483_648,
  'float 32': (view, at) => view.getFloat32(at, true),
  'float 64': (view, at) => view.getFloat64(at, true),
};

/**
 * Decodes a WAV file: PCM of 8, 16, 24 or 32 bits or floats of 32 or 64, plain or `extensible`, with
 * any number of channels. Chunks other than `fmt ` and `data` are passed over. A `data` length of
 * 0xFFFFFFFF (a file that was streamed) means all that follows.
 * @throws QuernError `INVALID_INPUT` if it is something else, is cut off or contradicts itself
 */
export function decodeWav(file: Uint8Array): Sound {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  assertRiff(view);
  const { format, data } = findChunks(view);
  return readSamples(data, format);
}

function assertRiff(view: DataView): void {
  const [outer, inner] = [fourLetters(view, 0), fourLetters(view, 8)];
  if (outer === 'RIFF' && inner === 'WAVE') return;
  const got = view.byteLength === 0 ? 'nothing' : `${outer} ... ${inner}`;
  throw invalidWav(`got a file that begins with ${got}, expected a WAV file (RIFF ... WAVE)`);
}

function findChunks(view: DataView): { format: WavFormat; data: DataView } {
  let format: WavFormat | undefined;
  let offset = RIFF_HEADER_BYTES;
  while (offset + CHUNK_HEADER_BYTES <= view.byteLength) {
    const id = fourLetters(view, offset);
    const claimed = view.getUint32(offset + 4, true);
    const start = offset + CHUNK_HEADER_BYTES;
    const left = view.byteLength - start;
    const length = id === 'data' && claimed === LENGTH_UNKNOWN ? left : claimed;
    if (length > left) {
      throw invalidWav(`its ${id} chunk claims ${claimed} bytes, but only ${left} follow`);
    }
    const chunk = new DataView(view.buffer, view.byteOffset + start, length);
    if (id === 'fmt ') format = readWavFormat(chunk);
    if (id === 'data') {
      if (format === undefined) throw invalidWav('its data chunk comes before a fmt chunk');
      return { format, data: chunk };
    }
    // Chunks begin at even offsets.
    offset = start + length + (length % 2);
  }
  throw invalidWav('it ends before a data chunk');
}

function readSamples(data: DataView, format: WavFormat): Sound {
  const { channelCount, bitsPerSample, encoding, sampleRateHz } = format;
  const read = SAMPLE_READERS[`${encoding} ${bitsPerSample}`];
  if (read === undefined) {
    const known = Object.keys(SAMPLE_READERS).join(', ');
    throw invalidWav(`got ${encoding} samples of ${bitsPerSample} bits, expected one of ${known}`);
  }
  const sampleBytes = bitsPerSample / 8;
  const frameBytes = sampleBytes * channelCount;
  if (data.byteLength === 0 || data.byteLength % frameBytes !== 0) {
    const whole = `a positive multiple of ${frameBytes} (${channelCount} x ${bitsPerSample} bits)`;
    throw invalidWav(`got ${data.byteLength} bytes of samples, expected ${whole}`);
  }
  const length = data.byteLength / frameBytes;
  const channels = Array.from({ length: channelCount }, (_, channel) => {
    const samples = new Float32Array(length);
    for (let i = 0; i < length; i++) {
      samples[i] = read(data, i * frameBytes + channel * sampleBytes);
    }
    return samples;
  });
  if (encoding === 'float') for (const samples of channels) assertFinite(samples);
  return { sampleRateHz, channels };
}

function assertFinite(samples: Float32Array): void {
  const at = samples.findIndex((sample) => !Number.isFinite(sample));
  if (at !== -1) throw invalidWav(`sample ${at} is ${samples[at]}, expected a finite number`);
}

function fourLetters(view: DataView, at: number): string {
  let letters = '';
  for (let i = at; i < Math.min(at + 4, view.byteLength); i++) {
    const code = view.getUint8(i);
    letters += code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : '?';
  }
  return letters;
}
