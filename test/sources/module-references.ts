import {
  childOf,
  childrenOf,
  isIdentifier,
  memberName,
  placeOf,
  type SourceFile,
  type SyntaxNode,
  stringValue,
} from './syntax.ts';

/** One place where a module names another. */
export interface ModuleReference {
  /** Undefined when the name is computed and so cannot be checked. */
  readonly specifier: string | undefined;
  readonly isTypeOnly: boolean;
  readonly place: string;
  /** The names that are taken from it, as exported there. */
  readonly names: readonly string[];
}

/** Every import, re-export, dynamic import, import type, `require` and `import.meta.resolve`. */
export function moduleReferences(file: SourceFile): ModuleReference[] {
  return file.nodes.flatMap((node) => {
    const found = referenceOf(node);
    return found === undefined ? [] : [{ ...found, place: placeOf(node, file) }];
  });
}

function referenceOf(node: SyntaxNode): Omit<ModuleReference, 'place'> | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration': {
      const source = childOf(node, 'source');
      return source && { ...namesOf(node), specifier: stringValue(source) };
    }
    case 'ImportExpression':
      return dynamic(childOf(node, 'source'));
    case 'TSImportType':
      return { specifier: stringValue(childOf(node, 'source')), isTypeOnly: true, names: [] };
    case 'CallExpression':
      return isResolver(childOf(node, 'callee'))
        ? dynamic(childrenOf(node, 'arguments')[0])
        : undefined;
    default:
      return undefined;
  }
}

function dynamic(argument: SyntaxNode | undefined): Omit<ModuleReference, 'place'> {
  return { specifier: stringValue(argument), isTypeOnly: false, names: [] };
}

function namesOf(node: SyntaxNode): { names: string[]; isTypeOnly: boolean } {
  const specifiers = childrenOf(node, 'specifiers');
  const isType = (part: SyntaxNode) =>
    part['importKind'] === 'type' || part['exportKind'] === 'type';
  return {
    names: specifiers.map((part) => String(childOf(part, 'imported')?.['name'] ?? '')),
    isTypeOnly: isType(node) || (specifiers.length > 0 && specifiers.every(isType)),
  };
}

/** `require(...)`, `require.resolve(...)`, `import.meta.resolve(...)`. */
function isResolver(callee: SyntaxNode | undefined): boolean {
  if (isIdentifier(callee, 'require')) return true;
  if (callee?.type !== 'MemberExpression' || memberName(callee) !== 'resolve') return false;
  const object = childOf(callee, 'object');
  return isIdentifier(object, 'require') || object?.type === 'MetaProperty';
}
