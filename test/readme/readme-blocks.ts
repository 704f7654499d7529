/** A command of a document, and the output that the document shows for it. */
export interface DocumentedCommand {
  readonly command: string;
  /** The JSON block that follows, if one does. */
  readonly output: unknown;
}

const BLOCK = /^```(\w*)\n([\s\S]*?)^```$/gm;

/** The `sh` blocks of a Markdown text, each with the `json` block right behind it. */
export function documentedCommands(markdown: string): DocumentedCommand[] {
  const blocks = [...markdown.matchAll(BLOCK)].map(([, language, text = '']) => ({
    language,
    text,
  }));
  return blocks.flatMap(({ language, text }, i) => {
    if (language !== 'sh') return [];
    const next = blocks[i + 1];
    const output = next?.language === 'json' ? JSON.parse(next.text) : undefined;
    return [{ command: text.trim(), output }];
  });
}

const VOLATILE = new Set(['created_at', 'started_at', 'completed_at', 'urls']);

/** A prediction without what differs from run to run: times and links. */
export function withoutVolatile(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutVolatile);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    if (VOLATILE.has(key) || key.endsWith('_time_ms')) return [key, typeof item];
    return [key, withoutVolatile(item)];
  });
  return Object.fromEntries(entries);
}
