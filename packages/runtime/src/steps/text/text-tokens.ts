/** A text, or a pair of texts, as a model of text reads it. */
export interface TextTokens {
  readonly ids: readonly number[];
  /** For each id whether it belongs to the first text (0) or the second (1). */
  readonly types: readonly number[];
}

/** Splits texts into tokens and gives them their ids. */
export interface TextTokenizer {
  /** What fills rows up to the longest. */
  readonly padId: number;
  readonly padType: number;
  /** The most tokens of a row that the tokenizer's files speak of. */
  readonly maxTokens: number | undefined;
  /** How many of a row's tokens are special. */
  specialCount(isPair: boolean): number;
  /** The tokens of a text, without special ones; what they are only the tokenizer knows. */
  split(text: string): readonly string[];
  /** Puts tokens together, special ones added if the settings say so, and gives them ids. */
  join(text: readonly string[], pair: readonly string[] | undefined): TextTokens;
}

export type CutSide = 'cutEnd' | 'cutStart' | 'error';

/**
 * Brings a text, or a pair, to a number of tokens. Of a pair the longer text is cut first, as
 * `longest_first` does in Hugging Face's tokenizers.
 * @param most without special tokens
 * @throws Error with `error`, if there are more
 */
export function cutTokens(
  text: readonly string[],
  pair: readonly string[] | undefined,
  most: number,
  side: CutSide,
): { text: readonly string[]; pair: readonly string[] | undefined } {
  const total = text.length + (pair?.length ?? 0);
  if (total <= most) return { text, pair };
  if (side === 'error') {
    throw new Error(`got ${total} tokens, expected at most ${most}, special ones not counted`);
  }
  if (pair === undefined) return { text: keep(text, most, side), pair };
  const [textLength, pairLength] = shares(text.length, pair.length, most);
  return { text: keep(text, textLength, side), pair: keep(pair, pairLength, side) };
}

/** The shorter one keeps up to half, the longer one has the rest; of two alike the second is the longer. */
function shares(text: number, pair: number, most: number): [text: number, pair: number] {
  const shorter = Math.min(text, pair, Math.floor(most / 2));
  return text > pair ? [most - shorter, shorter] : [shorter, most - shorter];
}

function keep(tokens: readonly string[], count: number, side: CutSide): readonly string[] {
  return side === 'cutStart' ? tokens.slice(tokens.length - count) : tokens.slice(0, count);
}
