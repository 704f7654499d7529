import { type Tensor, tensorToJson } from '@quern/contract';

/** The elements of a tensor in one row; 64-bit integers as numbers. */
export function integers(tensor: Tensor | undefined): number[] {
  if (tensor === undefined) throw new Error('no such tensor was made');
  const { value } = tensorToJson(tensor, 'nested');
  return (value as unknown[]).flat(Number.POSITIVE_INFINITY).map(Number);
}
