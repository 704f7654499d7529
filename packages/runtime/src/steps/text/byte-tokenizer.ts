import type { TextTokenizer } from './text-tokens.ts';

/** Each byte of the UTF-8 text is a token, and its value the token's id; 0 fills rows up. */
export const byteTokenizer: TextTokenizer = {
  padId: 0,
  padType: 0,
  maxTokens: undefined,
  specialCount: () => 0,
  split: (text) => Array.from(Buffer.from(text), (byte) => String.fromCharCode(byte)),
  join: (text, pair = []) => {
    const ids = [...text, ...pair].map((byte) => byte.charCodeAt(0));
    return { ids, types: ids.map((_, index) => Number(index >= text.length)) };
  },
};
