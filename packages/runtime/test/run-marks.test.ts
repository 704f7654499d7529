import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeMark, MarkReader } from '../src/runner/run-marks.ts';

test('marks are read whole from chunks that end anywhere', () => {
  const mark = fc.record({
    kind: fc.constantFrom('started' as const, 'ended' as const),
    sequence: fc.maxSafeNat(),
  });
  fc.assert(
    fc.property(fc.array(mark), fc.array(fc.integer({ min: 1, max: 20 })), (marks, cuts) => {
      const stream = Buffer.concat(marks.map(({ kind, sequence }) => encodeMark(kind, sequence)));
      const reader = new MarkReader();
      const read = [];
      let offset = 0;
      for (const cut of [...cuts, stream.byteLength]) {
        read.push(...reader.read(stream.subarray(offset, offset + cut)));
        offset += cut;
      }
      expect(read).toEqual(marks);
    }),
  );
});
