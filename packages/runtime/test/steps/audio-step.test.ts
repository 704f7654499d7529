import { QuernError, type TensorSpec } from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { audioConfigSchema } from '../../src/steps/audio/audio-config.ts';
import { loadAudioStep } from '../../src/steps/audio/audio-step.ts';
import { decodeWav } from '../../src/steps/audio/decode-wav.ts';
import { resample } from '../../src/steps/audio/resample.ts';
import { integers as numbers } from '../harness/numbers.ts';
import { quantised, type WavEncoding, wav } from '../harness/wav.ts';

const ENCODINGS: readonly WavEncoding[] = [
  { tag: 1, bits: 8 },
  { tag: 1, bits: 16 },
  { tag: 1, bits: 24 },
  { tag: 1, bits: 32 },
  { tag: 3, bits: 32 },
  { tag: 3, bits: 64 },
  { tag: 1, bits: 16, isExtensible: true },
  { tag: 3, bits: 32, isExtensible: true },
];
const PCM16 = { tag: 1, bits: 16 } as const;

function sine(hz: number, rateHz: number, seconds = 1): number[] {
  const length = Math.round(rateHz * seconds);
  return Array.from({ length }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rateHz));
}

const decibels = (ratio: number): number => 20 * Math.log10(ratio);

/** The level of the middle, where no edge of the sound is near. */
function level(samples: Float32Array): number {
  const middle = samples.subarray(samples.length / 4, (samples.length * 3) / 4);
  return Math.sqrt(middle.reduce((sum, sample) => sum + sample ** 2, 0) / middle.length);
}

describe('a WAV file', () => {
  test.each(ENCODINGS)('of %o is read as it was written', (encoding) => {
    const sample = fc.double({ min: -1, max: 1, noNaN: true });
    const channel = fc.array(sample, { minLength: 1, maxLength: 20 });
    const extra = fc.option(fc.uint8Array({ maxLength: 9 }), { nil: undefined });
    fc.assert(
      fc.property(channel, fc.integer({ min: 1, max: 3 }), extra, (samples, count, chunk) => {
        const channels = Array.from({ length: count }, (_, c) => samples.map((s) => s / (c + 1)));
        const file = wav(encoding, { sampleRateHz: 16_000, channels, extra: chunk });
        const sound = decodeWav(file);
        expect(sound.sampleRateHz).toBe(16_000);
        const expected = channels.map((own) =>
          own.map((value) => Math.fround(quantised(value, encoding))),
        );
        expect(sound.channels.map((own) => [...own])).toEqual(expected);
      }),
    );
  });

  test('that is cut anywhere, or lies, is refused and crashes nothing', () => {
    const whole = wav(PCM16, { sampleRateHz: 8000, channels: [sine(100, 8000, 0.01)] });
    fc.assert(
      fc.property(
        fc.nat(whole.byteLength - 1),
        fc.nat(whole.byteLength - 1),
        fc.nat(255),
        (length, at, value) => {
          expect(() => decodeWav(whole.subarray(0, length))).toThrow(QuernError);
          const changed = Buffer.from(whole);
          changed[at] = value;
          try {
            for (const samples of decodeWav(changed).channels) {
              expect(samples.length).toBeLessThanOrEqual(whole.byteLength);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(QuernError);
          }
        },
      ),
    );
  });

  test('that was streamed says no length', () => {
    const file = wav(PCM16, { sampleRateHz: 8000, channels: [[0, 0.5, -0.5]] });
    file.writeUInt32LE(0xff_ff_ff_ff, 40);
    expect([...(decodeWav(file).channels[0] ?? [])]).toEqual([0, 0.5, -0.5]);
  });
});

describe('resampling', () => {
  test.each([
    [44_100, 16_000],
    [48_000, 16_000],
    [8000, 16_000],
    [22_050, 16_000],
    [16_000, 44_100],
  ])('from %d to %d Hz keeps what fits, and nothing else', (fromHz, toHz) => {
    const halfOfLower = Math.min(fromHz, toHz) / 2;
    const kept = Float32Array.from(sine(halfOfLower * 0.9, fromHz));
    expect(resample(kept, fromHz, toHz)).toHaveLength(toHz);
    const change = decibels(level(resample(kept, fromHz, toHz)) / level(kept));
    expect(Math.abs(change)).toBeLessThan(0.01);
    if (fromHz > toHz) {
      const lost = Float32Array.from(sine(halfOfLower * 1.05, fromHz));
      expect(decibels(level(resample(lost, fromHz, toHz)) / level(lost))).toBeLessThan(-90);
    }
  });
});

describe('the step audio', () => {
  const context = (sessionInputs: readonly TensorSpec[]) => ({
    modelFolder: '/nowhere',
    sessionInputs,
    labels: undefined,
    problem: (key: string, message: string) =>
      new QuernError('CONFIG_INVALID', `${key}: ${message}`),
  });
  const samples: TensorSpec = { name: 'x', datatype: 'FP32', shape: [-1, -1] };
  const load = (config: Record<string, unknown>, inputs: readonly TensorSpec[] = [samples]) =>
    loadAudioStep(
      audioConfigSchema.parse({ sampleRateHz: 8000, input: 'x', ...config }),
      context(inputs),
    );
  const file = (...channels: readonly (readonly number[])[]) =>
    wav({ tag: 3, bits: 32 }, { sampleRateHz: 8000, channels });

  test('mixes channels, fills rows up with silence and says how long each is', async () => {
    const mask: TensorSpec = { name: 'mask', datatype: 'INT64', shape: [-1, -1] };
    const lengths: TensorSpec = { name: 'lengths', datatype: 'INT64', shape: [-1] };
    const step = load({ mask: 'mask', lengths: 'lengths' }, [samples, mask, lengths]);
    const files = [file([0.5, 0.25, 1]), file([1, 0], [0, 0.5])];
    const made = await step.run([files]);
    const byName = Object.fromEntries(made.map((tensor) => [tensor.name, tensor]));
    expect(byName['x']?.shape).toEqual([2, 3]);
    expect(numbers(byName['x'])).toEqual([0.5, 0.25, 1, 0.5, 0.25, 0]);
    expect(numbers(byName['lengths'])).toEqual([3, 2]);
    expect(numbers(byName['mask'])).toEqual([1, 1, 1, 1, 1, 0]);
  });

  test('cuts frames that overlap, the last one filled up', async () => {
    const framed: TensorSpec = { name: 'x', datatype: 'FP32', shape: [-1, -1, 4] };
    const step = load({ frames: { length: 4, hop: 2, padStart: 1 } }, [framed]);
    const [x] = await step.run([[file([1, 2, 3, 4].map((n) => n / 8))]]);
    expect(x?.shape).toEqual([1, 2, 4]);
    expect(numbers(x).map((n) => n * 8)).toEqual([0, 1, 2, 3, 2, 3, 4, 0]);
  });

  test('brings sounds to one level', async () => {
    const sound = file([0.25, -0.5, 0]);
    const [peak] = await load({ normalize: 'peak', scale: 100 }).run([[sound]]);
    expect(numbers(peak)).toEqual([50, -100, 0]);
    const [standard] = await load({ normalize: 'standard' }).run([[sound]]);
    const values = numbers(standard);
    expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 5);
    expect(values.reduce((sum, value) => sum + value ** 2, 0) / 3).toBeCloseTo(1, 3);
    const [silence] = await load({ normalize: 'standard' }).run([[file([0, 0])]]);
    expect(numbers(silence)).toEqual([0, 0]);
  });

  test.each([
    [{}, [Buffer.from('ID3 not a wav file')], /audio\[0\].*ID3/],
    [{ maxSeconds: 0.0001 }, [file([0, 0])], /audio\[0\].*at most 0\.0001 s/],
    [{ channel: 1 }, [file([0])], /audio\[0\].*1 channels.*channel 1/],
  ])('refuses with %o', async (config, files, message) => {
    await expect(async () => load(config).run([files])).rejects.toThrow(message);
  });

  test('cuts or refuses what is longer than the model takes', async () => {
    const fixed: TensorSpec = { name: 'x', datatype: 'FP32', shape: [-1, 2] };
    const long = [file([0.5, 0.25, 1])];
    const [cut] = await load({ tooLong: 'cut' }, [fixed]).run([long]);
    expect(numbers(cut)).toEqual([0.5, 0.25]);
    await expect(async () => load({}, [fixed]).run([long])).rejects.toThrow(/3 samples.*at most 2/);
  });

  test('is refused at the load where its shape is not the input’s', () => {
    const wrong: TensorSpec = { name: 'x', datatype: 'FP32', shape: [-1, 3, 224, 224] };
    expect(() => load({}, [wrong])).toThrow(/x is \[-1,3,224,224\]/);
  });
});
