import { createHash } from 'node:crypto';
import type { ModelSignature } from './model-signature.ts';
import type { Tensor } from './tensor.ts';
import { type BatchAxis, batchAxisOf } from './tensor-rows.ts';

/** What one input adds to the name of a lane. */
export interface LanePart {
  /** The extents without the batch axis. */
  readonly extents: readonly number[];
  /** For an input that a whole batch shares: a text that is equal for equal bytes. */
  readonly shared?: string;
}

/** Bytes up to this many stand in the lane as they are; of longer ones a hash does. */
const SHOWN_BYTES = 16;

/**
 * The axis of an input that counts rows in this signature: none where predictions run one by one.
 * @param index of the input
 */
export function inputBatchAxis(signature: ModelSignature, index: number): BatchAxis {
  const spec = signature.inputs[index];
  return spec === undefined || !signature.batchable ? null : batchAxisOf(spec);
}

/**
 * Names the lane of checked inputs: `3x48x320;2x128;=803e000000000000`. One part for each input of the
 * signature, its extents without the rows; of an input that a whole batch shares also its bytes, since
 * entries with other ones must not run together.
 */
export function laneOf(tensors: readonly Tensor[], signature: ModelSignature): string {
  const parts = tensors.map((tensor, index): LanePart => {
    const axis = inputBatchAxis(signature, index);
    const extents = tensor.shape.filter((_, at) => at !== axis);
    return signature.batchable && axis === null
      ? { extents, shared: digest(tensor.data) }
      : { extents };
  });
  return formatLane(parts);
}

export function formatLane(parts: readonly LanePart[]): string {
  return parts
    .map(({ extents, shared }) => extents.join('x') + (shared === undefined ? '' : `=${shared}`))
    .join(';');
}

/** The parts of a lane's name as `formatLane` writes it. */
export function parseLane(lane: string): LanePart[] {
  return lane.split(';').map((part) => {
    const [dimensions = '', shared] = part.split('=');
    const extents = dimensions === '' ? [] : dimensions.split('x').map(Number);
    return shared === undefined ? { extents } : { extents, shared };
  });
}

function digest(data: Uint8Array): string {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (bytes.byteLength <= SHOWN_BYTES) return bytes.toString('hex');
  return createHash('sha256')
    .update(bytes)
    .digest('hex')
    .slice(0, 2 * SHOWN_BYTES);
}
