import { z } from 'zod';

const extent = z.number().int().positive().max(16_384);
const perChannel = z.union([z.number(), z.array(z.number()).min(1).max(4)], {
  error: 'expected a number, or an array with one for each channel',
});
const byte = z.number().int().min(0).max(255);

const resizeSchema = z.union(
  [
    z.strictObject({
      height: extent,
      width: extent,
      /** What becomes of an image of another form: cut off, bordered, or distorted. */
      fit: z.enum(['cover', 'contain', 'fill']).default('cover'),
    }),
    // One side alone: the other one follows, as models that read lines of text take them.
    z.strictObject({ height: extent }),
    z.strictObject({ width: extent }),
    z.strictObject({ shortestSide: extent }),
    z.literal('none'),
  ],
  {
    error:
      'expected {height: 224, width: 224, fit: cover | contain | fill}, {height: 48}, {width: 48}, {shortestSide: 256} or none',
  },
);

/** Settings of the step `image`. What the session input's shape and datatype say need not be repeated. */
export const imageConfigSchema = z.strictObject({
  /** Name of the field that callers send. */
  field: z.string().min(1).default('image'),
  /** The session input to make; may be left out where only one can take an image. */
  input: z.string().optional(),
  /** Turns the image as its EXIF orientation says. */
  orient: z.boolean().default(true),
  /** Default: to the height and width of the session input where both are fixed, else none. */
  resize: resizeSchema.optional(),
  kernel: z
    .enum(['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3'])
    .default('cubic'),
  /** Cut out of the middle, after resizing. */
  crop: z.strictObject({ height: extent, width: extent }).optional(),
  /** Default: gray for one channel, rgb for three. */
  color: z.enum(['rgb', 'bgr', 'gray']).optional(),
  /** Default: what fits the channels of the session input. */
  layout: z.enum(['NCHW', 'NHWC']).optional(),
  /** Swaps dark and light. */
  invert: z.boolean().default(false),
  /** Multiplies the values 0 to 255. Default: 1/255 for floats, 1 for UINT8. */
  scale: z.number().optional(),
  /** Subtracted after scaling, by channel in the order of `color`. */
  mean: perChannel.default(0),
  /** Divides what is left. */
  std: perChannel.default(1),
  /** Red, green and blue behind transparent parts, and of the border of `fit: contain`. */
  background: z.tuple([byte, byte, byte]).default([0, 0, 0]),
  /** An image with more pixels is refused before it is decoded. */
  maxPixels: z.number().int().positive().default(50_000_000),
  /** A larger file is refused. */
  maxBytes: z
    .number()
    .int()
    .positive()
    .default(20 * 1024 * 1024),
});
export type ImageConfig = z.infer<typeof imageConfigSchema>;
