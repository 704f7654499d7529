import { z } from 'zod';

/** Settings of the `text` step: a text, or a pair of texts, becomes token ids. */
export const textConfigSchema = z.strictObject({
  /** What callers send the text as. */
  field: z.string().min(1).default('text'),
  /** A second text for models of pairs (a question and a passage), and what callers send it as. */
  pairField: z.string().min(1).optional(),
  /**
   * A `tokenizer.json` in the model's folder, or `bytes`: each byte of the UTF-8 text is a token.
   * `tokenizer_config.json` is read where it lies beside it.
   */
  tokenizer: z.string().min(1).default('tokenizer.json'),
  /** The most tokens of a row, special ones included; by default what the tokenizer's files say. */
  maxTokens: z.number().int().positive().optional(),
  /** What is done with a longer text: its end is cut off, or its start, or it is refused. */
  tooLong: z.enum(['cutEnd', 'cutStart', 'error']).default('cutEnd'),
  /** Whether the tokenizer's special tokens (`[CLS]`, `</s>`) are added. */
  specialTokens: z.boolean().default(true),
  /** The session inputs to make. */
  inputs: z
    .strictObject({
      /** Token ids; `input_ids`, or the only input there is. */
      ids: z.string().optional(),
      /** 1 for tokens, 0 for what fills a row up; `attention_mask` if the model has it. */
      mask: z.string().optional(),
      /** 0 for tokens of the first text, 1 for those of the second; `token_type_ids` if the model has it. */
      types: z.string().optional(),
    })
    .prefault({}),
  /** Longer texts are refused before they are split into tokens. */
  maxBytes: z.number().int().positive().default(100_000),
});

export type TextConfig = z.infer<typeof textConfigSchema>;
