import { readFile } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { encodeBytesElements, formatShape, type Tensor, type TensorSpec } from '@quern/contract';
import { numberTensor } from '../number-tensor.ts';
import { replaceOutput, replaceSpec } from '../replace-output.ts';
import { floatOutput, floatsOf } from '../scores/float-output.ts';
import { bestPlaces, rowsOf } from '../scores/ranking.ts';
import type { PostprocessContext, PostprocessStep } from '../step.ts';
import type { CtcConfig } from './ctc-config.ts';

/**
 * The step `ctc`: greedy decoding after Graves et al. (2006). Of scores `[rows, steps, classes]` the best
 * class of each step is taken, repeated ones count once, and blanks go. Outputs are `text` (BYTES) and
 * `confidence` (FP32, the mean score of the steps that were kept; 0 for an empty text), both `[rows]`.
 * @throws QuernError `CONFIG_INVALID` if the alphabet does not fit the output
 */
export async function loadCtcStep(
  config: CtcConfig,
  context: PostprocessContext,
): Promise<PostprocessStep> {
  const spec = floatOutput(config.output, context);
  const { name, shape } = spec;
  if (shape.length !== 3) {
    throw context.problem(
      'output',
      `reads [rows,steps,classes], but ${name} is ${formatShape(shape)}`,
    );
  }
  const characters = await readAlphabet(config, context);
  const classes = shape[2] ?? -1;
  if (classes !== -1 && classes !== characters.length + 1) {
    throw context.problem(
      'alphabet',
      `has ${characters.length} characters, but ${name} has ${classes} classes, one of them the blank`,
    );
  }
  const made: TensorSpec[] = [
    { name: 'text', datatype: 'BYTES', shape: shape.slice(0, 1) },
    { name: 'confidence', datatype: 'FP32', shape: shape.slice(0, 1) },
  ];
  return {
    name: 'ctc',
    outputs: replaceSpec(spec, made, context),
    run: (outputs) =>
      replaceOutput(outputs, name, (tensor) => decode(tensor, characters, config.blank)),
  };
}

function decode(
  tensor: Tensor,
  characters: readonly string[],
  blank: CtcConfig['blank'],
): Tensor[] {
  const [rows = 0, steps = 0, classes = 0] = tensor.shape;
  if (classes !== characters.length + 1) {
    throw new Error(`${tensor.name} has ${classes} classes, expected ${characters.length + 1}`);
  }
  const blankClass = blank === 'last' ? classes - 1 : blank;
  const texts: string[] = [];
  const confidences = new Float64Array(rows);
  for (const scores of rowsOf(floatsOf(tensor), steps * classes)) {
    const kept = greedy(scores, classes, blankClass);
    const sum = kept.reduce((total, { score }) => total + score, 0);
    confidences[texts.length] = kept.length === 0 ? 0 : sum / kept.length;
    texts.push(
      kept.map(({ place }) => characters[place > blankClass ? place - 1 : place]).join(''),
    );
  }
  // A sound or picture of no length has no steps, and still a text.
  while (texts.length < rows) texts.push('');
  return [
    { name: 'text', datatype: 'BYTES', shape: [rows], data: encodeBytesElements(texts) },
    numberTensor('confidence', 'FP32', [rows], confidences),
  ];
}

function greedy(scores: Float64Array, classes: number, blank: number) {
  const kept: { place: number; score: number }[] = [];
  let before = blank;
  for (const step of rowsOf(scores, classes)) {
    const [place = blank] = bestPlaces(step, 1);
    if (place !== blank && place !== before) kept.push({ place, score: step[place] ?? 0 });
    before = place;
  }
  return kept;
}

async function readAlphabet(
  { alphabet, space, blank }: CtcConfig,
  { modelFolder, problem }: PostprocessContext,
): Promise<string[]> {
  const path = resolve(modelFolder, alphabet);
  if (!path.startsWith(modelFolder + sep)) {
    throw problem('alphabet', `${alphabet} lies outside of the model's folder`);
  }
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw problem('alphabet', `${alphabet} cannot be read: ${reason}`);
  });
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  const characters = [...lines, ...(space ? [' '] : [])];
  if (blank === 'last' || blank <= characters.length) return characters;
  throw problem('blank', `got class ${blank}, but there are ${characters.length + 1} classes`);
}
