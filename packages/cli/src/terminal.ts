/** Where a command writes: results on `out`, everything for people on `err`. */
export interface Terminal {
  readonly out: Screen;
  readonly err: Screen;
}

export interface Screen {
  /** Writes as it is, without a line break of its own. */
  write(text: string): void;
  /** Whether somebody looks at it, so that a line may be drawn again. */
  readonly isTTY: boolean;
  readonly columns: number;
}

const FALLBACK_COLUMNS = 80;
const FRAME_MS = 100;
const CLEAR_LINE = '\r\u001b[2K';

/** A screen over a stream such as `process.stdout`. */
export function screenOf(stream: NodeJS.WriteStream): Screen {
  return {
    write: (text) => void stream.write(text),
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns || FALLBACK_COLUMNS;
    },
  };
}

/** Draws one line over and over on a terminal; anywhere else it is silent, or writes plain lines. */
export class StatusLine {
  readonly #screen: Screen;
  readonly #startedAtMs = performance.now();
  readonly #elsewhere: 'silent' | 'lines';
  readonly #timer: NodeJS.Timeout | undefined;
  #text = '';

  /**
   * @param text the first status; on a terminal seconds are added and counted
   * @param elsewhere whether each new status is written as a line where there is no terminal
   */
  constructor(screen: Screen, text: string, elsewhere: 'silent' | 'lines' = 'silent') {
    this.#screen = screen;
    this.#elsewhere = elsewhere;
    if (screen.isTTY) this.#timer = setInterval(() => this.#draw(), FRAME_MS);
    this.update(text);
  }

  update(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    if (this.#screen.isTTY) this.#draw();
    else if (this.#elsewhere === 'lines') this.#screen.write(`${text}\n`);
  }

  /** Wipes the line. */
  end(): void {
    clearInterval(this.#timer);
    if (this.#screen.isTTY) this.#screen.write(CLEAR_LINE);
  }

  #draw(): void {
    const seconds = ((performance.now() - this.#startedAtMs) / 1000).toFixed(1);
    const line = `${this.#text} (${seconds} s)`.slice(0, this.#screen.columns - 1);
    // The cursor goes back to the start, so that what others print replaces the line.
    this.#screen.write(`${CLEAR_LINE}${line}\r`);
  }
}
