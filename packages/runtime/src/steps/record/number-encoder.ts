import {
  DATATYPE_TRAITS,
  type Datatype,
  invalidInput,
  type QuernError,
  show,
} from '@quern/contract';
import type { ColumnConfig } from './record-config.ts';

/**
 * How a column's numbers are brought to a datatype: standardised where `mean` or `std` are set, and
 * refused where the datatype cannot hold them.
 * @throws QuernError `CONFIG_INVALID` if standardised numbers would end in integers
 */
export function numberEncoder(
  { mean, std }: ColumnConfig,
  datatype: Datatype,
  problem: (key: string, message: string) => QuernError,
) {
  const { kind } = DATATYPE_TRAITS[datatype];
  const isFloat = kind === 'float';
  if (!isFloat && (mean ?? std) !== undefined) {
    throw problem('', `mean and std make fractions, which an input of ${datatype} cannot hold`);
  }
  const range = rangeOf(datatype);
  const expected = isFloat ? 'a number' : `an integer from ${range.min} to ${range.max}`;
  return {
    width: 1,
    expected,
    encode: (value: unknown, path: string): number[] => {
      const scaled = typeof value === 'number' ? (value - (mean ?? 0)) / (std ?? 1) : Number.NaN;
      // Not a number fails both comparisons.
      const holds = scaled >= range.min && scaled <= range.max;
      if (holds && (isFloat || Number.isInteger(scaled))) return [scaled];
      const room = isFloat && typeof value === 'number' ? ` that fits ${datatype}` : '';
      throw invalidInput(path, `got ${show(value)}, expected ${expected}${room}`);
    },
  };
}

/** What a datatype can hold of what a JSON number can hold exactly. */
function rangeOf(datatype: Datatype): { min: number; max: number } {
  const { kind, min, max } = DATATYPE_TRAITS[datatype];
  if (kind === 'float') return { min: Number(min), max: Number(max) };
  return {
    min: Math.max(Number(min), Number.MIN_SAFE_INTEGER),
    max: Math.min(Number(max), Number.MAX_SAFE_INTEGER),
  };
}
