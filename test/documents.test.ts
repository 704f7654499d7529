import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { ERROR_CODES } from '@quern/contract';
import { describe, expect, test } from 'vitest';
import { brokenLinks } from './documents/markdown-links.ts';
import { inRepository } from './repository.ts';
import { filesBelow } from './sources/workspace.ts';

describe('links between documents', () => {
  test('lead somewhere', () => {
    const paths = filesBelow('.', ['.md']);
    expect(paths).toContain('docs/architecture.md');
    const texts = new Map(
      paths.map((path) => [path, readFileSync(inRepository(path), 'utf8')] as const),
    );
    const exists = (path: string) => existsSync(inRepository(path));
    expect(brokenLinks({ texts, exists })).toEqual([]);
  });

  const other = '# One Thing\n## `two`, and more!\n## One Thing\n```\n# not a heading\n```\n';

  test.each([
    'other.md',
    'missing/../other.md',
    '#here',
    'other.md#one-thing',
    'other.md#two-and-more',
    'other.md#one-thing-1',
    '../LICENSE',
    'https://example.com/x',
  ])('to %s would pass', (link) => {
    expect(linkProblems(`# Here\n[text](${link})`)).toEqual([]);
  });

  test.each(['gone.md', '#gone', 'other.md#gone', 'other.md#not-a-heading', '../gone'])(
    'to %s would be found broken',
    (link) => {
      expect(linkProblems(`# Here\n[text](${link})`)).toHaveLength(1);
    },
  );

  test('are found in references and images, and not in code', () => {
    expect(linkProblems('[a]: gone.md')).toHaveLength(1);
    expect(linkProblems('![a](gone.png)')).toHaveLength(1);
    expect(linkProblems('[a](gone.md "A title")')).toHaveLength(1);
    expect(linkProblems('`[a](gone.md)`\n```\n[a](gone.md)\n```\n')).toEqual([]);
  });

  function linkProblems(text: string): string[] {
    const texts = new Map([
      ['docs/here.md', text],
      ['docs/other.md', other],
    ]);
    return brokenLinks({ texts, exists: (path) => path === 'LICENSE' });
  }
});

describe('docs/errors.md', () => {
  const page = readFileSync(inRepository('docs/errors.md'), 'utf8');

  test.each(ERROR_CODES)('explains %s', (code) => {
    expect(page).toMatch(new RegExp(`^\\| \`${code}\` \\| \\d{3} \\| (yes|no) \\| .+ \\|$`, 'm'));
  });

  test('is what the catalogue in the sources gives', () => {
    const args = ['--conditions=@quern/source', '--import', 'tsx', 'scripts/generate-docs.mjs'];
    const { status, stderr } = spawnSync(process.execPath, [...args, '--check'], {
      cwd: inRepository(),
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
