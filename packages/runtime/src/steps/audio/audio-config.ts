import { z } from 'zod';

const positiveInteger = z.number().int().positive();

/** Settings of the `audio` step: a WAV file becomes samples, or frames of samples. */
export const audioConfigSchema = z
  .strictObject({
    /** What callers send the file as. */
    field: z.string().min(1).default('audio'),
    /** The session input to make; may be left out where there is only one. */
    input: z.string().optional(),
    /** What the model was trained with; files of other rates are converted. */
    sampleRateHz: z.number().int().min(1000).max(192_000),
    /** `mix` for the mean of all channels, or the number of one, counted from 0. */
    channel: z.union([z.literal('mix'), z.number().int().nonnegative()]).default('mix'),
    /** `peak`: the loudest sample becomes 1; `standard`: mean 0 and standard deviation 1. */
    normalize: z.enum(['none', 'peak', 'standard']).default('none'),
    /** What samples from -1 to 1 are multiplied by, e.g. 32768 for a model of 16-bit values. */
    scale: z.number().default(1),
    /** Cuts the sound into frames, for an input `[rows, frames, length]`. */
    frames: z
      .strictObject({
        /** Samples of one frame. */
        length: positiveInteger,
        /** Samples from the start of one frame to that of the next. */
        hop: positiveInteger,
        /** Samples of silence in front of the first frame. */
        padStart: z.number().int().nonnegative().default(0),
      })
      .optional(),
    /** What is done with a sound that is longer than an input of fixed length takes. */
    tooLong: z.enum(['error', 'cut']).default('error'),
    /** An input `[rows]` that gets the number of samples, or frames, of each row. */
    lengths: z.string().optional(),
    /** An input that gets 1 for each sample, or frame, of a row and 0 for what fills it up. */
    mask: z.string().optional(),
    /** Longer sounds are refused. */
    maxSeconds: z.number().positive().max(3600).default(60),
  })
  .refine(({ frames }) => frames === undefined || frames.padStart < frames.length, {
    error: 'padStart must be less than the length of a frame',
    path: ['frames', 'padStart'],
  });

export type AudioConfig = z.infer<typeof audioConfigSchema>;
