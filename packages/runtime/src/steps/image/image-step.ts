import { formatShape, invalidInput, type Tensor, type TensorSpec } from '@quern/contract';
import type { PreprocessStep, StepContext } from '../step.ts';
import { decodeImage, type Pixels, type Resize } from './decode-image.ts';
import type { ImageConfig } from './image-config.ts';
import { type PixelLayout, PixelWriter } from './pixel-writer.ts';

const DATATYPES = ['FP32', 'FP16', 'UINT8'];

/**
 * The step `image`: an encoded image becomes a tensor of shape `[rows, channels, height, width]` or
 * `[rows, height, width, channels]`, of FP32, FP16 or UINT8.
 * @throws QuernError `CONFIG_INVALID` if the settings do not fit the session input
 */
export async function loadImageStep(
  config: ImageConfig,
  context: StepContext,
): Promise<PreprocessStep> {
  const spec = sessionInput(config, context);
  const layout = layoutOf(spec, config, context);
  const [heightAxis, widthAxis] = layout.order === 'NCHW' ? [2, 3] : [1, 2];
  const fixed = { height: spec.shape[heightAxis] ?? -1, width: spec.shape[widthAxis] ?? -1 };
  const resize = resizeOf(config, fixed);
  assertSize(config, resize, fixed, context);
  const writer = new PixelWriter(layout, spec.datatype, {
    invert: config.invert,
    scale: config.scale ?? (spec.datatype === 'UINT8' ? 1 : 1 / 255),
    mean: channelValues('mean', config.mean, layout, context),
    std: channelValues('std', config.std, layout, context),
  });
  return {
    name: 'image',
    fields: [{ name: config.field, field: { kind: 'image', maxBytes: config.maxBytes } }],
    produces: [spec],
    run: async ([files = []]) => {
      const images = await Promise.all(
        files.map((file, row) => decodeRow(file, row, files.length, config, resize)),
      );
      return [toTensor(images, spec, writer)];
    },
  };
}

async function decodeRow(
  file: Uint8Array,
  row: number,
  rows: number,
  config: ImageConfig,
  resize: Resize,
): Promise<Pixels> {
  try {
    return await decodeImage(file, { ...config, resize });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalidInput(rows === 1 ? config.field : `${config.field}[${row}]`, reason);
  }
}

function toTensor(images: readonly Pixels[], spec: TensorSpec, writer: PixelWriter): Tensor {
  const { height, width } = images[0] ?? { height: 0, width: 0 };
  const odd = images.findIndex((image) => image.height !== height || image.width !== width);
  if (odd !== -1) {
    const { height: otherHeight, width: otherWidth } = images[odd] ?? { height: 0, width: 0 };
    throw invalidInput(
      `row ${odd}`,
      `the image is ${otherWidth}x${otherHeight} and the first one ${width}x${height}, which make no one tensor; send them apart, or resize in model.yaml`,
    );
  }
  return { name: spec.name, datatype: spec.datatype, ...writer.write(images, height, width) };
}

/** The session input that takes the image. */
function sessionInput({ input }: ImageConfig, { sessionInputs, problem }: StepContext): TensorSpec {
  const candidates = sessionInputs.filter(canTakeImage);
  const known = candidates.map(({ name }) => name).join(', ');
  if (input === undefined) {
    const [only] = candidates;
    if (only !== undefined && candidates.length === 1) return only;
    const found = candidates.length === 0 ? 'the model has none' : `which could be ${known}`;
    throw problem('input', `expected the input that takes the image; ${found}`);
  }
  const found = sessionInputs.find(({ name }) => name === input);
  if (found !== undefined && canTakeImage(found)) return found;
  const got = found === undefined ? 'no input' : `${found.datatype} ${formatShape(found.shape)}`;
  const expected = `${DATATYPES.join(', ')} of rank 4`;
  throw problem('input', `${input} is ${got}, expected ${expected}${known && `: ${known}`}`);
}

function canTakeImage({ datatype, shape, batchAxis = 0 }: TensorSpec): boolean {
  return DATATYPES.includes(datatype) && shape.length === 4 && batchAxis === 0;
}

/** Order and number of the channels: as set, else as the session input's shape has it. */
function layoutOf(
  { name, shape }: TensorSpec,
  config: ImageConfig,
  { problem }: StepContext,
): PixelLayout {
  const [, first = -1, , last = -1] = shape;
  const isChannels = (extent: number): boolean => extent === 1 || extent === 3;
  const order = config.layout ?? (!isChannels(first) && isChannels(last) ? 'NHWC' : 'NCHW');
  const extent = order === 'NCHW' ? first : last;
  const color = config.color ?? (extent === 1 ? 'gray' : 'rgb');
  const channels = color === 'gray' ? 1 : 3;
  if (extent === -1 || extent === channels) return { order, color, channels };
  throw problem(
    config.color === undefined ? 'layout' : 'color',
    `${name} is ${formatShape(shape)}, which as ${order} has ${extent} channels, but ${color} has ${channels}`,
  );
}

interface Size {
  readonly height: number;
  readonly width: number;
}

function resizeOf({ resize, crop }: ImageConfig, fixed: Size): Resize {
  if (resize !== undefined) return resize;
  const isFixed = fixed.height > 0 && fixed.width > 0;
  return isFixed && crop === undefined ? { ...fixed, fit: 'cover' } : 'none';
}

function assertSize(
  { crop }: ImageConfig,
  resize: Resize,
  fixed: Size,
  { problem }: StepContext,
): void {
  const isKnown = typeof resize === 'object' && !('shortestSide' in resize);
  const result: Partial<Size> = crop ?? (isKnown ? resize : {});
  const key = crop === undefined ? 'resize' : 'crop';
  for (const side of ['height', 'width'] as const) {
    const wanted = fixed[side];
    if (wanted < 0) continue;
    const got = result[side];
    if (got === wanted) continue;
    const found =
      got === undefined ? `a ${side} that differs from image to image` : `${side} ${got}`;
    throw problem(key, `gives ${found}, but the model takes ${side} ${wanted}`);
  }
}

function channelValues(
  key: 'mean' | 'std',
  value: number | readonly number[],
  { channels, color }: PixelLayout,
  { problem }: StepContext,
): number[] {
  const values = typeof value === 'number' ? new Array<number>(channels).fill(value) : [...value];
  if (values.length !== channels) {
    throw problem(key, `got ${values.length} numbers, expected ${channels} for ${color}`);
  }
  if (key === 'std' && values.includes(0)) throw problem(key, 'got 0, by which nothing divides');
  return values;
}
