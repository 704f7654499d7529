import { type Datatype, packNumbers, type Tensor } from '@quern/contract';
import type { Pixels } from './decode-image.ts';

export interface PixelLayout {
  readonly order: 'NCHW' | 'NHWC';
  readonly color: 'rgb' | 'bgr' | 'gray';
  readonly channels: 1 | 3;
}

/** What becomes of a value from 0 to 255: `(value x scale - mean) / std`. */
export interface PixelScaling {
  readonly invert: boolean;
  readonly scale: number;
  /** By channel. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

type Cells = Uint8Array | Uint16Array | Uint32Array;

/**
 * Writes pixels as the elements of a tensor. There are 256 values for a channel, so each is computed
 * once, in the bits of the datatype, and looked up from then on.
 */
export class PixelWriter {
  readonly #layout: PixelLayout;
  readonly #datatype: Datatype;
  /** By channel: 256 elements. */
  readonly #tables: readonly Cells[];

  /** @param datatype FP32, FP16 or UINT8 */
  constructor(layout: PixelLayout, datatype: Datatype, scaling: PixelScaling) {
    this.#layout = layout;
    this.#datatype = datatype;
    this.#tables = scaling.mean.map((mean, channel) => {
      const std = scaling.std[channel] ?? 1;
      const values = Float64Array.from({ length: 256 }, (_, value) => {
        const light = scaling.invert ? 255 - value : value;
        return (light * scaling.scale - mean) / std;
      });
      return toCells(packNumbers(pixelDatatype(datatype), pixelValues(datatype, values)), datatype);
    });
  }

  /** @param images all of the given size */
  write(images: readonly Pixels[], height: number, width: number): Pick<Tensor, 'shape' | 'data'> {
    const { order, channels } = this.#layout;
    const count = height * width;
    const cells = newCells(this.#datatype, images.length * channels * count);
    images.forEach((image, row) => {
      for (let channel = 0; channel < channels; channel++) {
        const start = row * channels * count;
        const offset = order === 'NCHW' ? start + channel * count : start + channel;
        this.#writeChannel(image, channel, cells, offset, order === 'NCHW' ? 1 : channels);
      }
    });
    const size = [height, width];
    const shape =
      order === 'NCHW' ? [images.length, channels, ...size] : [images.length, ...size, channels];
    return { shape, data: new Uint8Array(cells.buffer, cells.byteOffset, cells.byteLength) };
  }

  #writeChannel(
    { data, channels, height, width }: Pixels,
    channel: number,
    cells: Cells,
    offset: number,
    step: number,
  ): void {
    const table = this.#tables[channel] ?? new Uint8Array(256);
    const { color } = this.#layout;
    const count = height * width;
    let to = offset;
    if (color === 'gray' && channels === 3) {
      for (let i = 0; i < 3 * count; i += 3, to += step) {
        cells[to] = table[luma(data[i] ?? 0, data[i + 1] ?? 0, data[i + 2] ?? 0)] ?? 0;
      }
      return;
    }
    const source = channels === 1 ? 0 : color === 'bgr' ? 2 - channel : channel;
    for (let i = source; i < channels * count; i += channels, to += step) {
      cells[to] = table[data[i] ?? 0] ?? 0;
    }
  }
}

/** Grey as ITU-R BT.601 weighs the colours, in 16 bits of fixed point. */
export function luma(red: number, green: number, blue: number): number {
  return (19_595 * red + 38_470 * green + 7_471 * blue + 32_768) >> 16;
}

function pixelDatatype(datatype: Datatype): 'FP32' | 'FP16' | 'UINT8' {
  if (datatype === 'FP32' || datatype === 'FP16' || datatype === 'UINT8') return datatype;
  throw new TypeError(`pixels are FP32, FP16 or UINT8, not ${datatype}`);
}

/** Bytes are the nearest whole numbers from 0 to 255. */
function pixelValues(datatype: Datatype, values: Float64Array): Float64Array {
  if (datatype !== 'UINT8') return values;
  return values.map((value) => Math.min(255, Math.max(0, Math.round(value))));
}

function newCells(datatype: Datatype, count: number): Cells {
  if (datatype === 'UINT8') return new Uint8Array(count);
  return datatype === 'FP16' ? new Uint16Array(count) : new Uint32Array(count);
}

function toCells(bytes: Uint8Array, datatype: Datatype): Cells {
  const cells = newCells(datatype, 256);
  new Uint8Array(cells.buffer).set(bytes);
  return cells;
}
