import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import type { TextTokenizer } from './text-tokens.ts';

/** What is read of `tokenizer.json` here; the library reads the rest. */
const tokenizerFileSchema = z.looseObject({
  model: z.looseObject({}),
  truncation: z.looseObject({ max_length: z.number().int().positive() }).nullish(),
  padding: z.looseObject({ pad_id: z.number().int(), pad_type_id: z.number().int() }).nullish(),
});

/** What is read of `tokenizer_config.json` here. */
const tokenizerConfigSchema = z.looseObject({
  model_max_length: z.number().optional(),
  pad_token: z.union([z.string(), z.looseObject({ content: z.string() })]).nullish(),
});

/** Exporters write 1e30 for models that have no longest text. */
const NO_LIMIT = 1_000_000;

/**
 * Loads the tokenizer of Hugging Face's `tokenizers` from a `tokenizer.json`, and the
 * `tokenizer_config.json` beside it if there is one.
 * @throws Error if a file is missing, is not what it should be, or is of a kind that is not supported
 */
export async function loadTokenizer(path: string, specialTokens: boolean): Promise<TextTokenizer> {
  const file = await readJson(path, tokenizerFileSchema);
  const configPath = join(dirname(path), 'tokenizer_config.json');
  const config = await readJson(configPath, tokenizerConfigSchema).catch(absentAsEmpty);
  const tokenizer = new Tokenizer(file, config);
  const idOf = (token: string) =>
    tokenizer.token_to_id(token) ?? tokenizer.model?.unk_token_id ?? 0;
  const assemble = (text: readonly string[], pair: readonly string[] | undefined) =>
    addSpecialTokens(tokenizer, text, pair, specialTokens);
  const padToken =
    typeof config.pad_token === 'object' ? config.pad_token?.content : config.pad_token;
  return {
    padId:
      file.padding?.pad_id ?? (padToken === undefined ? 0 : (tokenizer.token_to_id(padToken) ?? 0)),
    padType: file.padding?.pad_type_id ?? 0,
    maxTokens: file.truncation?.max_length ?? limitOf(config.model_max_length),
    specialCount: (isPair) => assemble([], isPair ? [] : undefined).tokens.length,
    split: (text) => tokenizer.tokenize(text, { add_special_tokens: false }),
    join: (text, pair) => {
      const { tokens, types } = assemble(text, pair);
      return { ids: tokens.map(idOf), types };
    },
  };
}

function addSpecialTokens(
  { post_processor: processor }: Tokenizer,
  text: readonly string[],
  pair: readonly string[] | undefined,
  specialTokens: boolean,
): { tokens: readonly string[]; types: readonly number[] } {
  const plain = [...text, ...(pair ?? [])];
  const plainTypes = plain.map((_, index) => Number(index >= text.length));
  if (processor === null || !specialTokens) return { tokens: plain, types: plainTypes };
  const made = processor.post_process([...text], pair === undefined ? null : [...pair], true);
  // Those that add nothing pass the pair on as it is.
  const tokens = [...made.tokens, ...(made.tokens_pair ?? [])];
  const types = made.token_type_ids ?? tokens.map((_, index) => Number(index >= text.length));
  return { tokens, types };
}

function limitOf(modelMaxLength: number | undefined): number | undefined {
  return modelMaxLength !== undefined && modelMaxLength < NO_LIMIT ? modelMaxLength : undefined;
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(JSON.parse(await readFile(path, 'utf8')));
}

function absentAsEmpty(error: unknown): z.infer<typeof tokenizerConfigSchema> {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
  throw error;
}
