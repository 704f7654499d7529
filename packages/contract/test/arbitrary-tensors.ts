import * as fc from 'fast-check';
import {
  allocateElements,
  DATATYPE_TRAITS,
  type Datatype,
  elementCount,
  encodeBytesElements,
  type Tensor,
  type TensorSpec,
  viewBytes,
} from '../src/index.ts';

/** Shapes of rank 0 to 4, with dimensions of 0 and 1 among them. */
export const arbitraryShape = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 });

/** Any element of a datatype as its typed array takes it; floats finite. */
export function arbitraryElement(datatype: Datatype): fc.Arbitrary<number | bigint | string> {
  const { kind, min, max } = DATATYPE_TRAITS[datatype];
  if (kind === 'bytes') return fc.string({ unit: 'binary', maxLength: 6 });
  if (kind === 'bigint') {
    const any = fc.bigInt({ min: BigInt(min), max: BigInt(max) });
    const edges = [BigInt(min), BigInt(max), 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 0n];
    return fc.oneof(any, fc.constantFrom(...edges));
  }
  if (kind === 'float') {
    const [low, high] = [Number(min), Number(max)];
    return fc.oneof(
      fc.double({ min: low, max: high, noNaN: true }),
      fc.constantFrom(0, -1.5, low, high, 5e-324, 2 ** -24),
    );
  }
  return fc.integer({ min: Number(min), max: Number(max) });
}

/** A tensor of any shape with elements from the whole range of the datatype. */
export function arbitraryTensor(datatype: Datatype, name = 'x'): fc.Arbitrary<Tensor> {
  return arbitraryShape.chain((shape) => {
    const count = elementCount(shape);
    return fc
      .array(arbitraryElement(datatype), { minLength: count, maxLength: count })
      .map((elements) => ({ name, datatype, shape, data: elementBytes(datatype, elements) }));
  });
}

/** The binary form of elements, made by typed arrays alone. A minus zero becomes zero: JSON drops it. */
export function elementBytes(
  datatype: Datatype,
  elements: readonly (number | bigint | string)[],
): Uint8Array {
  if (datatype === 'BYTES') return encodeBytesElements(elements.map(String));
  const array = allocateElements(datatype, elements.length);
  elements.forEach((element, index) => {
    array[index] = typeof element === 'bigint' ? element : Number(element);
    if (array[index] === 0) array[index] = 0;
  });
  return viewBytes(array);
}

/** A specification that the tensor fits, with a dynamic first dimension if it has one. */
export function specOf(tensor: Tensor, allowNonFinite = false): TensorSpec {
  const [, ...rest] = tensor.shape;
  const shape = tensor.shape.length === 0 ? [] : [-1, ...rest];
  return { name: tensor.name, datatype: tensor.datatype, shape, allowNonFinite };
}
