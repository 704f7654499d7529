import { QuernError } from '@quern/contract';
import type { AudioConfig } from './audio-config.ts';
import { decodeWav, type Sound } from './decode-wav.ts';
import { resample } from './resample.ts';

/**
 * The samples of a WAV file as the model takes them: one channel, at its rate, at its level.
 * @throws QuernError `INVALID_INPUT` if it is no WAV file, is too long or lacks the channel
 */
export function prepareSound(file: Uint8Array, config: AudioConfig): Float32Array {
  const sound = decodeWav(file);
  assertDuration(sound, config.maxSeconds);
  const channel = pickChannel(sound, config.channel);
  const samples = resample(channel, sound.sampleRateHz, config.sampleRateHz);
  return level(samples, config);
}

function assertDuration({ sampleRateHz, channels }: Sound, maxSeconds: number): void {
  const seconds = (channels[0]?.length ?? 0) / sampleRateHz;
  if (seconds <= maxSeconds) return;
  throw new QuernError(
    'INVALID_INPUT',
    `got ${seconds.toFixed(1)} s of sound, expected at most ${maxSeconds} s; send it in parts`,
  );
}

function pickChannel({ channels }: Sound, channel: AudioConfig['channel']): Float32Array {
  if (channel === 'mix') return mix(channels);
  const picked = channels[channel];
  if (picked !== undefined) return picked;
  throw new QuernError(
    'INVALID_INPUT',
    `got ${channels.length} channels, expected a channel ${channel} (counted from 0)`,
  );
}

function mix(channels: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array(), ...others] = channels;
  if (others.length === 0) return first;
  return first.map((sample, i) => {
    let sum = sample;
    for (const other of others) sum += other[i] ?? 0;
    return sum / channels.length;
  });
}

/** Silence stays silence. */
function level(samples: Float32Array, { normalize, scale }: AudioConfig): Float32Array {
  const [offset, divisor] = levelOf(samples, normalize);
  const factor = scale / divisor;
  if (offset === 0 && factor === 1) return samples;
  return samples.map((sample) => (sample - offset) * factor);
}

function levelOf(
  samples: Float32Array,
  normalize: AudioConfig['normalize'],
): [offset: number, divisor: number] {
  if (normalize === 'none') return [0, 1];
  if (normalize === 'peak') {
    let peak = 0;
    for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
    return [0, peak === 0 ? 1 : peak];
  }
  let sum = 0;
  for (const sample of samples) sum += sample;
  const mean = sum / samples.length;
  let squares = 0;
  for (const sample of samples) squares += (sample - mean) ** 2;
  const deviation = Math.sqrt(squares / samples.length);
  return [mean, deviation === 0 ? 1 : deviation];
}
