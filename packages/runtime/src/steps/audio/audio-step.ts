import { formatShape, invalidInput, type Tensor, type TensorSpec } from '@quern/contract';
import { numberTensor } from '../number-tensor.ts';
import { datatypeAmong, namedInput } from '../session-input.ts';
import type { PreprocessStep, StepContext } from '../step.ts';
import type { AudioConfig } from './audio-config.ts';
import { prepareSound } from './prepare-sound.ts';
import { frameCount, writeFrames } from './sound-frames.ts';

const SAMPLE_DATATYPES = ['FP32', 'FP16', 'FP64'] as const;
const COUNT_DATATYPES = ['INT64', 'INT32', 'FP32', 'BOOL'] as const;

/** Where a step's numbers go. */
interface Target {
  readonly spec: TensorSpec;
  readonly datatype: (typeof SAMPLE_DATATYPES)[number];
  /** Samples, or frames, that the input takes; undefined for any number. */
  readonly fixedLength: number | undefined;
  /** Samples that stand for one step of the length: a frame's, or 1. */
  readonly unit: number;
}

interface CountTarget {
  readonly spec: TensorSpec;
  readonly datatype: (typeof COUNT_DATATYPES)[number];
}

/**
 * Loads the `audio` step: WAV files to samples `[rows, samples]` (or `[rows, 1, samples]`), or to frames
 * `[rows, frames, length]`. Rows of one prediction are filled up with silence to the longest.
 * @throws QuernError `CONFIG_INVALID`
 */
export function loadAudioStep(config: AudioConfig, context: StepContext): PreprocessStep {
  const target = soundTarget(config, context);
  const lengths = countTarget(config.lengths, 'lengths', 1, context);
  const mask = countTarget(config.mask, 'mask', 2, context);
  const made = [target, lengths, mask].flatMap((item) => (item === undefined ? [] : item.spec));
  return {
    name: 'audio',
    fields: [{ name: config.field, field: { kind: 'audio' } }],
    produces: made,
    run: ([files = []]) => {
      const sounds = files.map((file, row) => at(config, row, () => prepareSound(file, config)));
      const own = sounds.map((sound) =>
        config.frames === undefined ? sound.length : frameCount(sound.length, config.frames),
      );
      const counts = own.map((count, row) =>
        at(config, row, () => fitLength(count, target.fixedLength, config.tooLong)),
      );
      const length = target.fixedLength ?? Math.max(...counts);
      return [
        soundTensor(sounds, length, target, config),
        ...(lengths === undefined ? [] : [countTensor(counts, lengths)]),
        ...(mask === undefined ? [] : [maskTensorOf(counts, length, mask)]),
      ];
    },
  };
}

/** Runs with the row's place put in front of what is thrown. */
function at<T>({ field }: AudioConfig, row: number, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw invalidInput(`${field}[${row}]`, error instanceof Error ? error.message : String(error));
  }
}

function fitLength(
  count: number,
  fixed: number | undefined,
  tooLong: AudioConfig['tooLong'],
): number {
  if (fixed === undefined || count <= fixed) return count;
  if (tooLong === 'cut') return fixed;
  throw new Error(`got ${count} samples or frames, expected at most ${fixed}`);
}

function soundTensor(
  sounds: readonly Float32Array[],
  length: number,
  { spec, datatype, unit }: Target,
  { frames }: AudioConfig,
): Tensor {
  const numbers = new Float64Array(sounds.length * length * unit);
  for (const [row, sound] of sounds.entries()) {
    const part = numbers.subarray(row * length * unit, (row + 1) * length * unit);
    if (frames === undefined) part.set(sound.subarray(0, length));
    else writeFrames(sound, frames, part);
  }
  const rows = sounds.length;
  const shape = spec.shape.length === 2 ? [rows, length] : [rows, ...innerShape(frames, length)];
  return numberTensor(spec.name, datatype, shape, numbers);
}

function innerShape(frames: AudioConfig['frames'], length: number): number[] {
  return frames === undefined ? [1, length] : [length, frames.length];
}

function countTensor(counts: readonly number[], { spec, datatype }: CountTarget): Tensor {
  return numberTensor(spec.name, datatype, [counts.length], Float64Array.from(counts));
}

function maskTensorOf(
  counts: readonly number[],
  length: number,
  { spec, datatype }: CountTarget,
): Tensor {
  const numbers = new Float64Array(counts.length * length);
  for (const [row, count] of counts.entries()) {
    numbers.fill(1, row * length, row * length + count);
  }
  return numberTensor(spec.name, datatype, [counts.length, length], numbers);
}

function soundTarget({ input, frames }: AudioConfig, context: StepContext): Target {
  const spec = namedInput(context, 'input', input);
  const datatype = datatypeAmong(spec, SAMPLE_DATATYPES, context, 'input');
  const { shape, name } = spec;
  const [, middle = -1, last = -1] = shape;
  const fits =
    frames === undefined
      ? shape.length === 2 || (shape.length === 3 && (middle === 1 || middle === -1))
      : shape.length === 3 && (last === -1 || last === frames.length);
  if (!fits) {
    const expected =
      frames === undefined
        ? '[rows,samples] or [rows,1,samples]'
        : `[rows,frames,${frames.length}]`;
    throw context.problem(
      'input',
      `makes ${expected}, but the input ${name} is ${formatShape(shape)}`,
    );
  }
  const length = frames === undefined ? shape.at(-1) : middle;
  const fixedLength = length === -1 ? undefined : length;
  return { spec, datatype, fixedLength, unit: frames?.length ?? 1 };
}

function countTarget(
  name: string | undefined,
  key: string,
  rank: number,
  context: StepContext,
): CountTarget | undefined {
  if (name === undefined) return undefined;
  const spec = namedInput(context, key, name);
  const datatype = datatypeAmong(spec, COUNT_DATATYPES, context, key);
  if (spec.shape.length === rank) return { spec, datatype };
  const got = formatShape(spec.shape);
  throw context.problem(key, `has rank ${rank}, but the input ${name} is ${got}`);
}
