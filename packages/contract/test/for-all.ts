import * as fc from 'fast-check';

/** Asserts that a synchronous predicate holds for every value; the failure shows a minimal one. */
export function forAll<T>(
  arbitrary: fc.Arbitrary<T>,
  predicate: (value: T) => void,
  numRuns = 100,
): void {
  const property = fc.property(arbitrary, (value) => {
    predicate(value);
  });
  // Not a promise: the property is synchronous.
  void fc.assert(property, { numRuns });
}
