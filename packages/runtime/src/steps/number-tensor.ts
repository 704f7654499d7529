import { type Datatype, packNumbers, type Tensor, viewBytes } from '@quern/contract';

/**
 * A tensor of numbers that its datatype can hold; floats are rounded to the nearest.
 * @param datatype any but BYTES
 */
export function numberTensor(
  name: string,
  datatype: Exclude<Datatype, 'BYTES'>,
  shape: readonly number[],
  numbers: Float64Array,
): Tensor {
  return { name, datatype, shape, data: pack(datatype, numbers) };
}

function pack(datatype: Exclude<Datatype, 'BYTES'>, numbers: Float64Array): Uint8Array {
  if (datatype === 'INT64')
    return viewBytes(bigIntegers(new BigInt64Array(numbers.length), numbers));
  if (datatype === 'UINT64') {
    return viewBytes(bigIntegers(new BigUint64Array(numbers.length), numbers));
  }
  return packNumbers(datatype, numbers);
}

/** A loop, as `BigInt64Array.from` takes ten times as long. */
function bigIntegers<T extends BigInt64Array | BigUint64Array>(into: T, numbers: Float64Array): T {
  for (let i = 0; i < numbers.length; i++) into[i] = BigInt(numbers[i] ?? 0);
  return into;
}
