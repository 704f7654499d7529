/** FP16 tensors hold their bits in a `Uint16Array`: not every platform has a `Float16Array`. */

/** The distance between neighbours below the smallest normal number. */
const SMALLEST_STEP = 2 ** -24;
const FRACTION_BITS = 10;
/** From here on a number rounds to infinity. */
const OVERFLOW = 65_520;

/** The numbers that FP16 bits stand for; each is exact. */
export function decodeFloat16(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, numberOf);
}

function numberOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> FRACTION_BITS) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * SMALLEST_STEP;
  return sign * (0x400 + fraction) * 2 ** (exponent - 1) * SMALLEST_STEP;
}

/** The nearest FP16 of each number as bits; halfway goes to the even one. */
export function encodeFloat16(numbers: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(numbers.length);
  for (let i = 0; i < bits.length; i++) bits[i] = bitsOf(numbers[i] ?? 0);
  return bits;
}

function bitsOf(number: number): number {
  if (Number.isNaN(number)) return 0x7e00;
  const sign = number < 0 || Object.is(number, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(number);
  if (magnitude >= OVERFLOW) return sign | 0x7c00;
  // How many times the step doubles at this magnitude: none below 2^-13.
  const doublings = Math.max(0, exponentOf(magnitude) + 14);
  // Doubles from 2^52 on are whole, so that the addition rounds, halfway to even.
  const steps = magnitude / (SMALLEST_STEP * 2 ** doublings) + 2 ** 52 - 2 ** 52;
  // The leading one of a normal number counts as a doubling; a carry goes into the exponent by itself.
  return sign | ((doublings << FRACTION_BITS) + steps);
}

const scratch = new DataView(new ArrayBuffer(8));

/** The exponent of the power of two at or below a positive number. */
function exponentOf(magnitude: number): number {
  scratch.setFloat64(0, magnitude);
  return ((scratch.getUint16(0) >> 4) & 0x7ff) - 1023;
}
