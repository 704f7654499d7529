// biome-ignore lint/suspicious/noControlCharactersInRegex: ONNX Runtime colours its log lines
const COLOUR = /\u001b\[[0-9;]*m/g;

const MAX_LINES = 10;
const MAX_LINE_LENGTH = 1000;

/** Cuts a stream into lines, hands each on and keeps the last few for the report of a crash. */
export class OutputTail {
  readonly #onLine: (line: string) => void;
  readonly #lines: string[] = [];
  #rest = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: string): void {
    const parts = (this.#rest + chunk).split(/\r?\n/);
    this.#rest = (parts.pop() ?? '').slice(0, MAX_LINE_LENGTH);
    for (const part of parts) this.#add(part);
  }

  /** The last lines, the unfinished one included. */
  last(): readonly string[] {
    if (this.#rest !== '') {
      this.#add(this.#rest);
      this.#rest = '';
    }
    return this.#lines;
  }

  #add(raw: string): void {
    const line = raw.replace(COLOUR, '').trim().slice(0, MAX_LINE_LENGTH);
    if (line === '') return;
    this.#lines.push(line);
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
    this.#onLine(line);
  }
}
