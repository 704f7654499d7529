import { parseAst } from 'vitest/node';

/** A node of the syntax tree, read no further than its kind and place. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

/** A TypeScript source with its syntax tree. */
export interface SourceFile {
  /** From the repository's root, with slashes: `packages/queue/src/index.ts`. */
  readonly path: string;
  readonly text: string;
  readonly nodes: readonly SyntaxNode[];
}

/** @throws Error when the text is not TypeScript */
export function parseSource(path: string, text: string): SourceFile {
  const nodes: SyntaxNode[] = [];
  collect(parseAst(text, { lang: 'ts' }), nodes);
  return { path, text, nodes };
}

/** `path:line` of a node, for a message that an editor can follow. */
export function placeOf(node: SyntaxNode, file: SourceFile): string {
  const line = file.text.slice(0, node.start).split('\n').length;
  return `${file.path}:${line}`;
}

/** A field that is a node itself. */
export function childOf(node: SyntaxNode, field: string): SyntaxNode | undefined {
  const child = node[field];
  return isNode(child) ? child : undefined;
}

/** A field that is a list of nodes. */
export function childrenOf(node: SyntaxNode, field: string): SyntaxNode[] {
  const children = node[field];
  return Array.isArray(children) ? children.filter(isNode) : [];
}

/** The value of a string literal, or of a template without expressions. */
export function stringValue(node: SyntaxNode | undefined): string | undefined {
  if (node?.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
  if (node?.type === 'TemplateLiteral' && childrenOf(node, 'expressions').length === 0) {
    const value = childrenOf(node, 'quasis')[0]?.['value'];
    if (typeof value === 'object' && value !== null && 'cooked' in value) {
      return String(value.cooked);
    }
  }
  return undefined;
}

/** Whether a node is the name given, such as the global `process`. */
export function isIdentifier(node: SyntaxNode | undefined, name: string): boolean {
  return node?.type === 'Identifier' && node['name'] === name;
}

/** The property's name in `a.name` and `a['name']`. */
export function memberName(node: SyntaxNode): string | undefined {
  const property = childOf(node, 'property');
  if (node['computed'] === true) return stringValue(property);
  const name = property?.['name'];
  return typeof name === 'string' ? name : undefined;
}

function collect(value: unknown, nodes: SyntaxNode[]): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, nodes);
  } else if (isNode(value)) {
    nodes.push(value);
    for (const child of Object.values(value)) collect(child, nodes);
  }
}

function isNode(value: unknown): value is SyntaxNode {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    typeof value.type === 'string' &&
    'start' in value &&
    typeof value.start === 'number'
  );
}
