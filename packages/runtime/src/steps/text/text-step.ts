import { resolve, sep } from 'node:path';
import { formatShape, invalidInput, type Tensor, type TensorSpec } from '@quern/contract';
import { numberTensor } from '../number-tensor.ts';
import { datatypeAmong, namedInput } from '../session-input.ts';
import type { PreprocessStep, StepContext } from '../step.ts';
import { byteTokenizer } from './byte-tokenizer.ts';
import { loadTokenizer } from './load-tokenizer.ts';
import type { TextConfig } from './text-config.ts';
import { cutTokens, type TextTokenizer, type TextTokens } from './text-tokens.ts';

const TOKEN_DATATYPES = ['INT64', 'INT32', 'UINT8', 'FP32', 'BOOL'] as const;

/** A session input, and what it gets of a row. */
interface Target {
  readonly spec: TensorSpec;
  readonly datatype: (typeof TOKEN_DATATYPES)[number];
  readonly valuesOf: (tokens: TextTokens) => readonly number[];
  readonly fill: number;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Loads the `text` step: texts to token ids `[rows, tokens]`, with mask and types where the model takes
 * them. Rows of one prediction are filled up to the longest.
 * @throws QuernError `CONFIG_INVALID`
 */
export async function loadTextStep(
  config: TextConfig,
  context: StepContext,
): Promise<PreprocessStep> {
  const tokenizer = await openTokenizer(config, context);
  const targets = findTargets(config, context, tokenizer);
  const fixedLength = sharedLength(targets, context);
  const limit = tokenLimit(config, tokenizer, fixedLength, context);
  const { field, pairField } = config;
  return {
    name: 'text',
    fields: [field, ...(pairField === undefined ? [] : [pairField])].map((name) => ({
      name,
      field: { kind: 'text' },
    })),
    produces: targets.map(({ spec }) => spec),
    run: ([texts = [], pairs]) => {
      const rows = texts.map((text, row) => {
        const first = readText(text, `${field}[${row}]`, config);
        const pair = pairs?.[row];
        const second = pair && readText(pair, `${pairField}[${row}]`, config);
        return tokenize(first, second, `${field}[${row}]`);
      });
      const longest = Math.max(1, ...rows.map(({ ids }) => ids.length));
      return targets.map((target) => fillRows(rows, fixedLength ?? longest, target));
    },
  };

  function tokenize(text: string, pair: string | undefined, path: string): TextTokens {
    const parts = {
      text: tokenizer.split(text),
      pair: pair === undefined ? pair : tokenizer.split(pair),
    };
    try {
      const cut = cutTokens(parts.text, parts.pair, limit, config.tooLong);
      return tokenizer.join(cut.text, cut.pair);
    } catch (error) {
      throw invalidInput(path, error instanceof Error ? error.message : String(error));
    }
  }
}

function readText(bytes: Uint8Array, path: string, { maxBytes }: TextConfig): string {
  if (bytes.byteLength > maxBytes) {
    throw invalidInput(path, `got ${bytes.byteLength} bytes of text, expected at most ${maxBytes}`);
  }
  try {
    return utf8.decode(bytes);
  } catch {
    throw invalidInput(path, 'is not UTF-8');
  }
}

function fillRows(rows: readonly TextTokens[], length: number, target: Target): Tensor {
  const { spec, datatype, valuesOf, fill } = target;
  const numbers = new Float64Array(rows.length * length).fill(fill);
  for (const [row, tokens] of rows.entries()) numbers.set(valuesOf(tokens), row * length);
  return numberTensor(spec.name, datatype, [rows.length, length], numbers);
}

async function openTokenizer(
  { tokenizer: file, specialTokens }: TextConfig,
  { modelFolder, problem }: StepContext,
): Promise<TextTokenizer> {
  if (file === 'bytes') return byteTokenizer;
  const path = resolve(modelFolder, file);
  if (!path.startsWith(modelFolder + sep)) {
    throw problem('tokenizer', `${file} lies outside of the model's folder`);
  }
  try {
    return await loadTokenizer(path, specialTokens);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw problem('tokenizer', `${file} cannot be used: ${reason}`);
  }
}

function findTargets(
  { inputs }: TextConfig,
  context: StepContext,
  { padId, padType }: TextTokenizer,
): Target[] {
  const names = context.sessionInputs.map(({ name }) => name);
  const usual = (name: string) => (names.includes(name) ? name : undefined);
  const target = (
    key: keyof TextConfig['inputs'],
    name: string | undefined,
    fill: number,
    valuesOf: Target['valuesOf'],
  ): Target => {
    const spec = namedInput(context, `inputs.${key}`, name);
    const datatype = datatypeAmong(spec, TOKEN_DATATYPES, context, `inputs.${key}`);
    return { spec, datatype, valuesOf, fill };
  };
  const mask = inputs.mask ?? usual('attention_mask');
  const types = inputs.types ?? usual('token_type_ids');
  return [
    target('ids', inputs.ids ?? usual('input_ids'), padId, ({ ids }) => ids),
    ...(mask === undefined ? [] : [target('mask', mask, 0, ({ ids }) => ids.map(() => 1))]),
    ...(types === undefined ? [] : [target('types', types, padType, (tokens) => tokens.types)]),
  ];
}

/** The length that the model fixes; undefined where it takes any. */
function sharedLength(targets: readonly Target[], { problem }: StepContext): number | undefined {
  const lengths = new Set<number>();
  for (const { spec } of targets) {
    const [, length] = spec.shape;
    if (spec.shape.length !== 2 || length === undefined) {
      const got = formatShape(spec.shape);
      throw problem('inputs', `makes [rows,tokens], but the input ${spec.name} is ${got}`);
    }
    if (length !== -1) lengths.add(length);
  }
  const [fixed, ...others] = lengths;
  if (others.length === 0) return fixed;
  throw problem('inputs', `the inputs have different lengths, ${[...lengths].join(' and ')}`);
}

/** The most tokens of a row without special ones. */
function tokenLimit(
  { maxTokens, pairField }: TextConfig,
  tokenizer: TextTokenizer,
  fixedLength: number | undefined,
  { problem }: StepContext,
): number {
  const whole = Math.min(
    maxTokens ?? tokenizer.maxTokens ?? Number.POSITIVE_INFINITY,
    fixedLength ?? Number.POSITIVE_INFINITY,
  );
  const special = tokenizer.specialCount(pairField !== undefined);
  if (whole > special) return whole - special;
  throw problem('maxTokens', `got ${whole}, of which ${special} are special; expected more`);
}
