/** The most characters of a caller's text that a message repeats. */
const MAX_ECHO = 40;

/** Names that need no quotes in a path; ONNX exporters like `onnx::Flatten_0` and `serving:0`. */
const PLAIN_NAME = /^[\w$:/-]{1,40}$/;

/** A value as an error message shows it: short, with its type where that is the mistake. */
export function show(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return `the string ${quote(value)}`;
  if (typeof value === 'function') return 'a function';
  return shorten(String(value));
}

/** The path of a field: `input.image`, or `input["x.1"]` where a dot would mislead; long names are cut. */
export function fieldPath(parent: string, name: string): string {
  return PLAIN_NAME.test(name) ? `${parent}.${name}` : `${parent}[${quote(name)}]`;
}

/** JSON's quotes also make control characters and lone surrogates harmless. */
function quote(text: string): string {
  return JSON.stringify(shorten(text));
}

function shorten(text: string): string {
  return text.length > MAX_ECHO ? `${text.slice(0, MAX_ECHO)}...` : text;
}
