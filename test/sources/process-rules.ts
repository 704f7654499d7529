import { type Architecture, isProcessFile, mayTouch, type ProcessPower } from './architecture.ts';
import { moduleReferences } from './module-references.ts';
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

const POWERS: ReadonlyMap<string, ProcessPower> = new Map([
  ['env', 'environment'],
  ['loadEnvFile', 'environment'],
  ['exit', 'exit'],
  ['exitCode', 'exit'],
  ['reallyExit', 'exit'],
  ['abort', 'exit'],
]);
const SUBSCRIPTIONS = new Set(['on', 'once', 'addListener', 'prependListener']);

/** Where a file touches a part of the process that is not its business. */
export function processViolations(file: SourceFile, architecture: Architecture): string[] {
  const touched = [...file.nodes.flatMap((node) => touchesOf(node, file)), ...imported(file)];
  const violations = touched
    .filter(({ power }) => !mayTouch(file.path, power, architecture))
    .map(({ power, place }) => `${place}: touches the process's ${power}`);
  return [...violations, ...foreignRuns(file, architecture)];
}

interface Touch {
  readonly power: ProcessPower;
  readonly place: string;
}

function touchesOf(node: SyntaxNode, file: SourceFile): Touch[] {
  return powersOf(node).map((power) => ({ power, place: placeOf(node, file) }));
}

function powersOf(node: SyntaxNode): ProcessPower[] {
  if (node.type === 'MemberExpression' && isProcess(childOf(node, 'object'))) {
    const name = memberName(node);
    // process[name] could be anything.
    if (name === undefined) return ['environment', 'signals', 'exit'];
    const power = POWERS.get(name);
    return power === undefined ? [] : [power];
  }
  if (node.type === 'VariableDeclarator' && isProcess(childOf(node, 'init'))) {
    const pattern = childOf(node, 'id');
    const properties = pattern === undefined ? [] : childrenOf(pattern, 'properties');
    return properties.flatMap((part) => POWERS.get(String(childOf(part, 'key')?.['name'])) ?? []);
  }
  if (node.type === 'CallExpression' && subscribesToSignal(node)) return ['signals'];
  return [];
}

function subscribesToSignal(call: SyntaxNode): boolean {
  const callee = childOf(call, 'callee');
  if (callee?.type !== 'MemberExpression' || !isProcess(childOf(callee, 'object'))) return false;
  if (!SUBSCRIPTIONS.has(memberName(callee) ?? '')) return false;
  const event = stringValue(childrenOf(call, 'arguments')[0]);
  // A computed event is most likely one of a list of signals.
  return event === undefined || event.startsWith('SIG');
}

function isProcess(node: SyntaxNode | undefined): boolean {
  if (isIdentifier(node, 'process')) return true;
  return (
    node?.type === 'MemberExpression' &&
    isIdentifier(childOf(node, 'object'), 'globalThis') &&
    memberName(node) === 'process'
  );
}

/** `import { env } from 'node:process'`. */
function imported(file: SourceFile): Touch[] {
  return moduleReferences(file)
    .filter(({ specifier }) => specifier === 'node:process' || specifier === 'process')
    .flatMap(({ names, place }) =>
      names.flatMap((name) => {
        const power = POWERS.get(name) ?? (SUBSCRIPTIONS.has(name) ? 'signals' : undefined);
        return power === undefined ? [] : [{ power, place }];
      }),
    );
}

/** What runs a whole process ends it, too. */
function foreignRuns(file: SourceFile, architecture: Architecture): string[] {
  if (isProcessFile(file.path, architecture)) return [];
  return moduleReferences(file).flatMap(({ names, place }) =>
    names
      .filter((name) => architecture.processFunctions.has(name))
      .map((name) => `${place}: imports ${name}, which runs a whole process`),
  );
}
