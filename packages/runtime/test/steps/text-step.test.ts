import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { QuernError, type Tensor, type TensorSpec } from '@quern/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { textConfigSchema } from '../../src/steps/text/text-config.ts';
import { loadTextStep } from '../../src/steps/text/text-step.ts';
import { cutTokens } from '../../src/steps/text/text-tokens.ts';
import { integers } from '../harness/numbers.ts';

const TOKENIZERS = fileURLToPath(new URL('../fixtures/tokenizers', import.meta.url));

interface Expected {
  readonly texts: readonly [string, string?];
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

function input(name: string, shape: number[] = [-1, -1]): TensorSpec {
  return { name, datatype: 'INT64', shape };
}

function load(
  tokenizer: string,
  config: Record<string, unknown> = {},
  sessionInputs: readonly TensorSpec[] | undefined = [
    input('input_ids'),
    input('attention_mask'),
    input('token_type_ids'),
  ],
) {
  return loadTextStep(textConfigSchema.parse(config), {
    modelFolder: join(TOKENIZERS, tokenizer),
    sessionInputs,
    labels: undefined,
    problem: (key, message) => new QuernError('CONFIG_INVALID', `${key}: ${message}`),
  });
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What the step makes, by the name of the input. */
async function make(
  step: Awaited<ReturnType<typeof load>>,
  ...fields: readonly (readonly string[])[]
): Promise<Record<string, Tensor>> {
  const tensors = await step.run(fields.map((texts) => texts.map(bytes)));
  return Object.fromEntries(tensors.map((tensor) => [tensor.name, tensor]));
}

describe.each(['wordpiece', 'byte-bpe'])("a %s tokenizer of Hugging Face's", (tokenizer) => {
  const expected = JSON.parse(
    readFileSync(join(TOKENIZERS, tokenizer, 'expected.json'), 'utf8'),
  ) as Expected[];

  test.each(expected)('gives $texts the ids of the original library', async (known) => {
    const [text, pair] = known.texts;
    const isPair = pair !== undefined;
    const step = await load(tokenizer, { maxTokens: 100, ...(isPair && { pairField: 'pair' }) });
    const made = await make(step, [text], ...(isPair ? [[pair]] : []));
    expect(integers(made['input_ids'])).toEqual(known.ids);
    expect(integers(made['token_type_ids'])).toEqual(known.types);
    expect(integers(made['attention_mask'])).toEqual(known.ids.map(() => 1));
  });
});

describe('the step text', () => {
  test('fills rows up to the longest, and masks what fills', async () => {
    const made = await make(await load('wordpiece'), ['unhappiness', '']);
    expect(made['input_ids']?.shape).toEqual([2, 6]);
    expect(integers(made['input_ids'])).toEqual([2, 103, 83, 123, 56, 3, 2, 3, 0, 0, 0, 0]);
    expect(integers(made['attention_mask'])).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
  });

  test('fills rows up to the length that the model fixes, with the token that the files name', async () => {
    const step = await load('byte-bpe', {}, [input('input_ids', [-1, 8])]);
    const [ids] = await step.run([[bytes('a')]]);
    // <s> a </s> and five <pad>.
    expect(integers(ids)).toEqual([0, 67, 2, 1, 1, 1, 1, 1]);
  });

  test('cuts at the length that the files name, special tokens kept', async () => {
    const long = 'unhappiness '.repeat(50);
    const ids = (await make(await load('wordpiece'), [long]))['input_ids'];
    expect(ids?.shape).toEqual([1, 32]);
    expect(integers(ids).at(-1)).toBe(3);
    const start = await load('wordpiece', { tooLong: 'cutStart', maxTokens: 5 });
    expect(integers((await make(start, ['happy running']))['input_ids'])).toHaveLength(5);
  });

  test.each([
    [{ tooLong: 'error', maxTokens: 4 }, 'unhappiness', /text\[0\].*4 tokens.*at most 2/],
    [{ maxBytes: 3 }, 'abcd', /text\[0\].*4 bytes.*at most 3/],
  ])('refuses with %o', async (config, text, message) => {
    const step = await load('wordpiece', config);
    await expect(async () => step.run([[bytes(text)]])).rejects.toThrow(message);
  });

  test('refuses what is not UTF-8, and says which row', async () => {
    const step = await load('wordpiece');
    const rows = [bytes('fine'), new Uint8Array([0xff, 0xfe])];
    await expect(async () => step.run([rows])).rejects.toThrow(/text\[1\].*UTF-8/);
  });

  test('takes bytes as tokens', async () => {
    const step = await load('wordpiece', { tokenizer: 'bytes' }, [input('text')]);
    const [ids] = await step.run([[bytes('né')]]);
    expect(integers(ids)).toEqual([0x6e, 0xc3, 0xa9]);
  });

  test.each([
    [{ tokenizer: 'no.json' }, undefined, /tokenizer: no\.json cannot be used.*ENOENT/],
    [{ tokenizer: '../byte-bpe/tokenizer.json' }, undefined, /outside of the model's folder/],
    [{ inputs: { ids: 'ids' } }, undefined, /inputs\.ids.*no input ids/],
    [{ maxTokens: 2 }, undefined, /maxTokens: got 2, of which 2 are special/],
    [{}, [input('input_ids', [-1])], /input_ids is \[-1\]/],
    [{}, [input('a'), input('b')], /inputs\.ids: expected the name/],
    [{}, [input('input_ids', [-1, 8]), input('attention_mask', [-1, 9])], /8 and 9/],
  ])('is refused at the load with %o', async (config, inputs, message) => {
    await expect(load('wordpiece', config, inputs)).rejects.toThrow(message);
  });
});

test('a pair is cut to the number of tokens, the longer one first', () => {
  const tokens = fc.array(fc.constantFrom('a', 'b'), { maxLength: 30 });
  fc.assert(
    fc.property(tokens, tokens, fc.nat(40), (text, pair, most) => {
      const cut = cutTokens(text, pair, most, 'cutEnd');
      const [first, second] = [cut.text.length, cut.pair?.length ?? 0];
      expect(first + second).toBe(Math.min(most, text.length + pair.length));
      // What was cut is no shorter than the other, but for an odd token.
      if (first < text.length) expect(first).toBeGreaterThanOrEqual(second - 1);
      if (second < pair.length) expect(second).toBeGreaterThanOrEqual(first - 1);
      expect(text.slice(0, first)).toEqual(cut.text);
      expect(pair.slice(0, second)).toEqual(cut.pair);
    }),
  );
});
