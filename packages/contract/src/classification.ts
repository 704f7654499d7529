import { encodeBytesElements } from './bytes-elements.ts';
import { viewElements } from './element-array.ts';
import { elementCount, type Tensor } from './tensor.ts';
import { type BatchAxis, sliceRows, withRows } from './tensor-rows.ts';

export interface ClassificationOptions {
  /** How many classes a row gets, best first; fewer if there are not so many. */
  readonly count: number;
  /** By class index; without them, or where there is none, a class has only its number. */
  readonly labels: readonly string[];
  /** The axis that counts rows; null if the whole tensor is one row. */
  readonly axis: BatchAxis;
}

/**
 * The best classes of each row as text, `value:index` or `value:index:label`: the classification
 * extension of the Open Inference Protocol. Every axis but the rows counts classes.
 * @param tensor scores, of any datatype but BYTES
 * @returns BYTES of shape `[rows, count]`, or `[count]` of a tensor that is one row
 */
export function classify(tensor: Tensor, options: ClassificationOptions): Tensor {
  const { name, shape, datatype } = tensor;
  if (datatype === 'BYTES') throw new TypeError(`${name} is text, which has no classes`);
  const { labels, axis } = options;
  const rows = axis === null ? 1 : (shape[axis] ?? 1);
  const count = Math.min(options.count, elementCount(withRows(shape, axis, 1)));
  const isInteger = !datatype.startsWith('FP');
  const texts: string[] = [];
  for (let row = 0; row < rows; row++) {
    const scores = [...viewElements(datatype, sliceRows(tensor, axis, row, 1).data)];
    for (const index of bestFirst(scores).slice(0, count)) {
      const score = scores[index] ?? 0;
      const label = labels[index];
      const value = isInteger ? String(score) : Number(score).toFixed(6);
      texts.push(`${value}:${index}${label === undefined ? '' : `:${label}`}`);
    }
  }
  return {
    name,
    datatype: 'BYTES',
    shape: axis === null ? [count] : [rows, count],
    data: encodeBytesElements(texts),
  };
}

/** Indices by falling score, the lower index first where two are equal; what is not a number comes last. */
function bestFirst(scores: readonly (number | bigint)[]): number[] {
  const rank = (index: number): number | bigint => {
    const score = scores[index] ?? 0;
    return Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score;
  };
  return [...scores.keys()].sort((a, b) => {
    const [scoreA, scoreB] = [rank(a), rank(b)];
    return scoreA === scoreB ? a - b : scoreA < scoreB ? 1 : -1;
  });
}
