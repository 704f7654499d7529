/**
 * FP16 to and from numbers. Node 20 has no Float16Array and the stand-in for it goes through a proxy,
 * which is a hundred times slower than this.
 */
const MIN_EXPONENT = -14;
const FRACTION_STEPS = 1024;
const INFINITY_BITS = 0x7c00;
const NAN_BITS = 0x7e00;

/** From here on a number rounds to infinity. */
export const FLOAT16_OVERFLOW = 65_520;

/** The distance between neighbours, by exponent from `MIN_EXPONENT` on. */
const STEPS = Float64Array.from({ length: 30 }, (_, i) => 2 ** (i - 24));

/** The number that 16 bits stand for. */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  // Below the smallest normal number the leading one is missing and the step stays.
  if (exponent === 0) return sign * fraction * (STEPS[0] as number);
  return sign * (FRACTION_STEPS + fraction) * (STEPS[exponent - 1] as number);
}

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/** The nearest FP16's bits; halfway goes to the even one, as in IEEE 754. */
export function toFloat16Bits(number: number): number {
  if (Number.isNaN(number)) return NAN_BITS;
  scratch[0] = number;
  const highWord = scratchWords[1] as number;
  const sign = (highWord >>> 16) & 0x8000;
  const magnitude = Math.abs(number);
  if (magnitude >= FLOAT16_OVERFLOW) return sign | INFINITY_BITS;
  const exponent = Math.max(((highWord >>> 20) & 0x7ff) - 1023, MIN_EXPONENT) - MIN_EXPONENT;
  // Doubles from 2^52 on are whole, so that the addition rounds.
  const steps = magnitude / (STEPS[exponent] as number) + 2 ** 52 - 2 ** 52;
  // A fraction that rounds up to the next power of two carries into the exponent by itself.
  return sign | ((exponent << 10) + steps);
}
