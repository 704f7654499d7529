/**
 * The rows of the first table under a heading, each as a record by column title.
 * @param heading the heading's text, without its hashes
 * @throws Error when there is no such heading or no table below it
 */
export function tableUnder(heading: string, markdown: string): Record<string, string>[] {
  const lines = markdown.split('\n');
  const start = lines.findIndex(
    (line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading,
  );
  if (start < 0) throw new Error(`Expected a heading "${heading}"`);
  const end = lines.findIndex((line, index) => index > start && /^#+ /.test(line));
  const section = lines.slice(start + 1, end < 0 ? undefined : end);
  const first = section.findIndex((line) => line.startsWith('|'));
  if (first < 0) throw new Error(`Expected a table under "${heading}"`);
  const length = section.slice(first).findIndex((line) => !line.startsWith('|'));
  const table = section.slice(first, length < 0 ? undefined : first + length).map(cellsOf);
  const [titles = [], _rule, ...rows] = table;
  return rows.map((row) => Object.fromEntries(titles.map((title, i) => [title, row[i] ?? ''])));
}

/** The words in backticks, each with what follows it in brackets: "`a` (types), `b`". */
export function codeWords(cell: string): { word: string; remark: string }[] {
  return [...cell.matchAll(/`([^`]+)`(?: \(([^)]*)\))?/g)].map((match) => ({
    word: match[1] ?? '',
    remark: match[2] ?? '',
  }));
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
