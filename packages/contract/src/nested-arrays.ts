import { show } from './error-text.ts';
import { formatShape, invalidInput, MAX_RANK } from './tensor.ts';

/**
 * The shape that the first element at each level suggests; `innermostRows` finds ragged arrays. Below
 * an empty array nothing is written, so there the model's own extents stand (0 for a dynamic one).
 */
export function nestedShape(value: unknown, modelShape: readonly number[]): number[] {
  const shape: number[] = [];
  let level = value;
  while (Array.isArray(level) && shape.length <= MAX_RANK) {
    shape.push(level.length);
    level = level[0];
  }
  if (shape.at(-1) !== 0) return shape;
  const unwritten = modelShape.slice(shape.length);
  return [...shape, ...unwritten.map((extent) => Math.max(extent, 0))];
}

/**
 * The innermost arrays in row-major order; for a scalar, its value as the only element of one row. Since
 * every array has been seen to have its length, the elements that `shape` counts do exist.
 * @throws QuernError `INVALID_INPUT` at the first array whose length is not the shape's
 */
export function innermostRows(
  value: unknown,
  shape: readonly number[],
  path: string,
): readonly (readonly unknown[])[] {
  let rows: (readonly unknown[])[] = [[value]];
  shape.forEach((extent, axis) => {
    const arrays: (readonly unknown[])[] = [];
    for (const row of rows) {
      for (const item of row) {
        if (!Array.isArray(item) || item.length !== extent) {
          const at = elementPath(path, arrays.length, shape.slice(0, axis));
          const expected = `an array of ${extent} for shape ${formatShape(shape)}`;
          throw invalidInput(at, `got ${show(item)}, expected ${expected}`);
        }
        arrays.push(item);
      }
    }
    rows = arrays;
  });
  return rows;
}

/** The path of the element with a row-major index: `input.image[3][0][2]`. */
export function elementPath(path: string, index: number, shape: readonly number[]): string {
  let rest = index;
  let indices = '';
  for (const extent of shape.toReversed()) {
    indices = `[${rest % extent}]${indices}`;
    rest = Math.floor(rest / extent);
  }
  return path + indices;
}
