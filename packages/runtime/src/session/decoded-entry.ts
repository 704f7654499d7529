import type { Tensor } from '@quern/contract';

/** One prediction's inputs, in the order of the signature, fit to be put beside others. */
export interface DecodedEntry {
  readonly rows: number;
  readonly tensors: readonly DecodedTensor[];
}

/** `strings` holds the elements of a BYTES tensor, whose `data` nobody reads any more. */
export interface DecodedTensor extends Tensor {
  readonly strings?: readonly string[];
}
