const SHADES = ' .:-=+*#%@';
const MIN_SIDE = 4;
const MAX_SIDE = 40;

/**
 * A small grey image drawn with characters, two for each pixel, for a tensor of shape [1, 1, h, w]
 * in nested arrays.
 * @returns its lines; undefined if the input is no such image
 */
export function drawGreyImage(input: Readonly<Record<string, unknown>>): string[] | undefined {
  const [tensor, ...others] = Object.values(input);
  const pixels = others.length === 0 ? imageRows(only(only(tensor))) : undefined;
  if (pixels === undefined) return undefined;
  const all = pixels.flat();
  const low = Math.min(...all);
  const range = Math.max(...all) - low || 1;
  const shade = (value: number): string =>
    SHADES.charAt(Math.round(((value - low) / range) * (SHADES.length - 1))).repeat(2);
  return pixels.map((row) => row.map(shade).join('').trimEnd());
}

/** The sole item of an array. */
function only(value: unknown): unknown {
  return Array.isArray(value) && value.length === 1 ? value[0] : undefined;
}

function imageRows(value: unknown): number[][] | undefined {
  if (!Array.isArray(value) || !isSide(value.length)) return undefined;
  const width = Array.isArray(value[0]) ? value[0].length : 0;
  return isSide(width) && value.every((row) => isRow(row, width)) ? value : undefined;
}

function isSide(extent: number): boolean {
  return extent >= MIN_SIDE && extent <= MAX_SIDE;
}

function isRow(row: unknown, width: number): row is number[] {
  return Array.isArray(row) && row.length === width && row.every(Number.isFinite);
}
