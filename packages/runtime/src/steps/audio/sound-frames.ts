import type { AudioConfig } from './audio-config.ts';

export type Framing = NonNullable<AudioConfig['frames']>;

/** How many frames a sound has: the last one that it fills in part counts, and there is at least one. */
export function frameCount(sampleCount: number, { length, hop, padStart }: Framing): number {
  return Math.max(1, Math.ceil((padStart + sampleCount - length) / hop) + 1);
}

/** Writes the frames of a sound one after the other; what it does not fill is left as it is. */
export function writeFrames(
  samples: Float32Array,
  { length, hop, padStart }: Framing,
  into: Float64Array,
): void {
  const count = Math.floor(into.length / length);
  for (let frame = 0; frame < count; frame++) {
    const start = frame * hop - padStart;
    const from = Math.max(0, start);
    const to = Math.min(samples.length, start + length);
    if (from < to) into.set(samples.subarray(from, to), frame * length + from - start);
  }
}
