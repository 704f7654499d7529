import { invalidWav } from './invalid-wav.ts';

/** What the `fmt ` chunk of a WAV file says about its samples. */
export interface WavFormat {
  readonly encoding: 'PCM' | 'float';
  readonly channelCount: number;
  readonly sampleRateHz: number;
  readonly bitsPerSample: number;
}

const PCM = 1;
const IEEE_FLOAT = 3;
/** The encoding stands in a GUID further behind. */
const EXTENSIBLE = 0xff_fe;

const FORMAT_BYTES = 16;
const EXTENSIBLE_BYTES = 40;
const SUBFORMAT_OFFSET = 24;
/** All that follows the encoding in the GUIDs of Microsoft's wave formats. */
const SUBFORMAT_TAIL = '000000001000800000aa00389b71';

const MAX_CHANNELS = 64;
const MIN_SAMPLE_RATE_HZ = 1000;
const MAX_SAMPLE_RATE_HZ = 768_000;

/**
 * Reads a `fmt ` chunk.
 * @throws QuernError `INVALID_INPUT`
 */
export function readWavFormat(chunk: DataView): WavFormat {
  if (chunk.byteLength < FORMAT_BYTES) {
    throw invalidWav(`its fmt chunk has ${chunk.byteLength} bytes, expected ${FORMAT_BYTES}`);
  }
  const format: WavFormat = {
    encoding: readEncoding(chunk),
    channelCount: chunk.getUint16(2, true),
    sampleRateHz: chunk.getUint32(4, true),
    bitsPerSample: chunk.getUint16(14, true),
  };
  const { channelCount, sampleRateHz, bitsPerSample } = format;
  assertBetween(channelCount, 1, MAX_CHANNELS, 'channels');
  assertBetween(sampleRateHz, MIN_SAMPLE_RATE_HZ, MAX_SAMPLE_RATE_HZ, 'samples per second');
  const frameBytes = chunk.getUint16(12, true);
  if (frameBytes * 8 !== channelCount * bitsPerSample) {
    throw invalidWav(
      `got ${frameBytes} bytes for ${channelCount} samples of ${bitsPerSample} bits each`,
    );
  }
  return format;
}

function readEncoding(chunk: DataView): WavFormat['encoding'] {
  const tag = chunk.getUint16(0, true);
  const encoding = tag === EXTENSIBLE ? readSubformat(chunk) : tag;
  if (encoding === PCM) return 'PCM';
  if (encoding === IEEE_FLOAT) return 'float';
  const code = encoding.toString(16).padStart(4, '0');
  throw invalidWav(
    `got samples in encoding 0x${code}, expected PCM (0x0001) or IEEE floats (0x0003); save it without compression`,
  );
}

function readSubformat(chunk: DataView): number {
  if (chunk.byteLength < EXTENSIBLE_BYTES) {
    throw invalidWav(
      `its extensible fmt chunk has ${chunk.byteLength} bytes, expected ${EXTENSIBLE_BYTES}`,
    );
  }
  const tail = Buffer.from(chunk.buffer, chunk.byteOffset + SUBFORMAT_OFFSET + 2, 14);
  if (tail.toString('hex') !== SUBFORMAT_TAIL) {
    throw invalidWav('its extensible fmt chunk names a subformat that is not PCM or IEEE floats');
  }
  return chunk.getUint16(SUBFORMAT_OFFSET, true);
}

function assertBetween(value: number, least: number, most: number, what: string): void {
  if (value >= least && value <= most) return;
  throw invalidWav(`got ${value} ${what}, expected from ${least} to ${most}`);
}
