import sharp, { type Sharp } from 'sharp';
import type { ImageConfig } from './image-config.ts';

/** Resizing as it is known once the session input is. */
export type Resize = NonNullable<ImageConfig['resize']>;

export interface DecodeSettings
  extends Pick<ImageConfig, 'orient' | 'kernel' | 'crop' | 'background' | 'maxPixels'> {
  readonly resize: Resize;
}

/** 8 bits a channel in sRGB: one channel if the image has no colour, else red, green and blue. */
export interface Pixels {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  /** Row by row, the channels of a pixel beside each other. */
  readonly data: Uint8Array;
}

// Raster formats alone: a vector image is a program, and its reader opens files.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadJpegBuffer',
    'VipsForeignLoadPngBuffer',
    'VipsForeignLoadWebpBuffer',
    'VipsForeignLoadNsgifBuffer',
    'VipsForeignLoadTiffBuffer',
    'VipsForeignLoadHeifBuffer',
  ],
});
// Images differ, so nothing is found again; and several are decoded at a time, each by one thread.
sharp.cache(false);
sharp.concurrency(1);

const FORMATS = 'PNG, JPEG, WebP, GIF, TIFF or AVIF';

/**
 * Decodes an image (of several frames the first), turns, resizes and cuts it.
 * @throws Error if it is no image, damaged, too large, or smaller than the cut
 */
export async function decodeImage(file: Uint8Array, settings: DecodeSettings): Promise<Pixels> {
  const { maxPixels } = settings;
  const input = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const image = sharp(input, { limitInputPixels: maxPixels, failOn: 'error' });
  const found = await image.metadata().catch((error: unknown) => {
    throw new Error(`got ${file.byteLength} bytes, expected ${FORMATS}: ${reasonOf(error)}`);
  });
  if (found.width * found.height > maxPixels) {
    throw new Error(
      `got ${found.width}x${found.height} pixels, expected at most ${maxPixels} in all (maxPixels)`,
    );
  }
  const turned = settings.orient ? image.autoOrient() : image;
  const size = settings.orient ? found.autoOrient : found;
  const resized = resizeImage(turned, size, settings);
  const [red, green, blue] = settings.background;
  const plain = resized
    .flatten({ background: { r: red, g: green, b: blue } })
    .toColourspace('srgb');
  const { data, info } = await plain.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const channels = info.channels === 1 ? 1 : 3;
  if (channels !== info.channels) throw new Error(`has ${info.channels} channels, expected 1 or 3`);
  return { height: info.height, width: info.width, channels, data };
}

interface Size {
  readonly height: number;
  readonly width: number;
}

function resizeImage(
  image: Sharp,
  size: Size,
  { resize, crop, kernel, maxPixels, background: [r, g, b] }: DecodeSettings,
): Sharp {
  const target = targetSize(size, resize);
  if (target.width * target.height > maxPixels) {
    throw new Error(
      `is ${size.width}x${size.height}, which resized is ${target.width}x${target.height}; expected at most ${maxPixels} pixels in all (maxPixels)`,
    );
  }
  const resized =
    resize === 'none'
      ? image
      : image.resize({
          ...target,
          fit: 'fit' in resize ? resize.fit : 'fill',
          kernel,
          background: { r, g, b },
        });
  if (crop === undefined) return resized;
  if (crop.height > target.height || crop.width > target.width) {
    throw new Error(
      `is ${target.width}x${target.height} where ${crop.width}x${crop.height} are to be cut out of the middle; send a larger image, or resize in model.yaml`,
    );
  }
  const left = Math.floor((target.width - crop.width) / 2);
  const top = Math.floor((target.height - crop.height) / 2);
  return resized.extract({ left, top, ...crop });
}

function targetSize({ height, width }: Size, resize: Resize): Size {
  if (resize === 'none') return { height, width };
  if ('fit' in resize) return { height: resize.height, width: resize.width };
  if ('height' in resize) return { ...resize, width: inProportion(width, resize.height, height) };
  if ('width' in resize) return { ...resize, height: inProportion(height, resize.width, width) };
  const { shortestSide } = resize;
  // The longer side is rounded down, as in the pipelines that most models were trained with.
  const scaled = (side: number, other: number): number =>
    side <= other ? shortestSide : Math.floor((shortestSide * side) / other);
  return { height: scaled(height, width), width: scaled(width, height) };
}

function inProportion(side: number, wanted: number, other: number): number {
  return Math.max(1, Math.round((side * wanted) / other));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
