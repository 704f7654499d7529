/** The value of a JSON text; undefined for what is not JSON, e.g. a message by somebody else. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
