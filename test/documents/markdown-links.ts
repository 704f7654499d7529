import { posix } from 'node:path';

/** A repository's documents, as far as links need to know them. */
export interface Documents {
  /** The text of each markdown file by its path from the root. */
  readonly texts: ReadonlyMap<string, string>;
  /** Whether something else lies at a path from the root. */
  readonly exists: (path: string) => boolean;
}

/** Links to files or headings that are not there, as `file: target`. Links to other hosts are not followed. */
export function brokenLinks({ texts, exists }: Documents): string[] {
  const broken: string[] = [];
  for (const [path, text] of texts) {
    for (const link of linksOf(text)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [file = '', anchor] = link.split('#', 2);
      const target = file === '' ? path : posix.join(posix.dirname(path), file);
      const targetText = texts.get(target);
      if (targetText === undefined) {
        if (anchor !== undefined || !exists(target)) broken.push(`${path}: ${link}`);
      } else if (anchor !== undefined && !anchorsOf(targetText).has(anchor)) {
        broken.push(`${path}: ${link}`);
      }
    }
  }
  return broken;
}

/** The targets of inline links, images and reference definitions outside of code. */
function linksOf(text: string): string[] {
  const prose = withoutCode(text);
  const inline = [...prose.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)];
  const definitions = [...prose.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm)];
  return [...inline, ...definitions].map((match) => match[1] ?? '');
}

/** The anchors that GitHub gives to the headings of a document. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, title = ''] of withoutFences(text).matchAll(/^#{1,6} (.+)$/gm)) {
    const base = title
      .trim()
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = base;
    for (let count = 1; anchors.has(anchor); count += 1) anchor = `${base}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

function withoutCode(text: string): string {
  return withoutFences(text).replace(/`[^`\n]*`/g, '');
}

function withoutFences(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '');
}
