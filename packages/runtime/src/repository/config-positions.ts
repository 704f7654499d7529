import { QuernError } from '@quern/contract';
import { type Document, isMap, isNode, isScalar, isSeq, type LineCounter } from 'yaml';

/**
 * Where keys stand in `model.yaml`, as `line:column` by the key's path (`inputs.x.padding.1`): what it
 * says about tensors can only be checked against the ONNX file, which another process opens.
 */
export type ConfigPositions = Readonly<Record<string, string>>;

const CHECKED_AGAINST_THE_MODEL = ['inputs', 'outputs', 'warmup', 'preprocess', 'postprocess'];

export function configPositions(document: Document, lines: LineCounter): ConfigPositions {
  const found: Record<string, string> = {};
  const note = (node: unknown, path: string) => {
    const { line, col } = lines.linePos(isNode(node) ? (node.range?.[0] ?? 0) : 0);
    found[path] = `${line}:${col}`;
  };
  const walk = (node: unknown, path: string) => {
    if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        note(item, `${path}.${index}`);
        walk(item, `${path}.${index}`);
      }
    }
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const at = path === '' ? String(key.value) : `${path}.${key.value}`;
      if (path === '' && !CHECKED_AGAINST_THE_MODEL.includes(at)) continue;
      note(key, at);
      walk(value, at);
    }
  };
  walk(document.contents, '');
  return found;
}

/** `CONFIG_INVALID` for a key of `model.yaml`, with its line; of a missing key, that of its parent. */
export function configProblem(
  positions: ConfigPositions | undefined,
  key: string,
  problem: string,
): QuernError {
  let written = key;
  while (positions?.[written] === undefined && written.includes('.')) {
    written = written.slice(0, written.lastIndexOf('.'));
  }
  const position = positions?.[written];
  const place = position === undefined ? 'model.yaml' : `model.yaml:${position}`;
  return new QuernError('CONFIG_INVALID', `${place}: ${key}: ${problem}`);
}
