import { rateText } from '../output/readable-numbers.ts';
import { type Screen, StatusLine } from '../terminal.ts';

const BAR_CELLS = 20;
/** How often a line is written where nobody looks. */
const PLAIN_INTERVAL_MS = 5000;

/** Shows how far a batch is: a bar on a terminal, else a line every five seconds. */
export class BatchProgress {
  readonly #status: StatusLine;
  readonly #isTTY: boolean;
  readonly #totalBytes: number;
  readonly #startedAtMs = performance.now();
  #lastLineAtMs = performance.now();
  #skippedBytes = 0;
  #done = 0;
  #failed = 0;

  /** @param totalBytes size of the input: how many lines it has nobody knows yet */
  constructor(screen: Screen, totalBytes: number) {
    this.#status = new StatusLine(screen, 'reading', screen.isTTY ? 'silent' : 'lines');
    this.#isTTY = screen.isTTY;
    this.#totalBytes = totalBytes;
  }

  get failed(): number {
    return this.#failed;
  }

  /** A line that an earlier run has done. */
  skipped(endByte: number): void {
    this.#skippedBytes = endByte;
  }

  lineEnded(endByte: number, hasFailed: boolean): void {
    this.#done += 1;
    if (hasFailed) this.#failed += 1;
    const nowMs = performance.now();
    if (!this.#isTTY && nowMs - this.#lastLineAtMs < PLAIN_INTERVAL_MS) return;
    this.#lastLineAtMs = nowMs;
    this.#status.update(this.#text(endByte));
  }

  #text(endByte: number): string {
    const share = Math.min(1, endByte / this.#totalBytes);
    const filled = Math.round(share * BAR_CELLS);
    const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_CELLS - filled)}]`;
    const elapsedMs = performance.now() - this.#startedAtMs;
    const bytesPerMs = (endByte - this.#skippedBytes) / elapsedMs;
    const left = timeText((this.#totalBytes - endByte) / bytesPerMs);
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} failed`;
    return `${bar} ${Math.floor(share * 100)} %, ${this.#done} done${failed}, ${this.#rate()}/s, ${left} left`;
  }

  #rate(): string {
    return rateText((this.#done * 1000) / (performance.now() - this.#startedAtMs));
  }

  /** `1200 lines, 3 failed, 410/s` */
  summary(): string {
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} failed`;
    return `${this.#done} lines${failed}, ${this.#rate()}/s`;
  }

  end(): void {
    this.#status.end();
  }
}

/** `45 s`, `12 min`, `3.5 h` */
function timeText(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  const minutes = seconds / 60;
  return minutes < 100 ? `${Math.ceil(minutes)} min` : `${(minutes / 60).toFixed(1)} h`;
}
