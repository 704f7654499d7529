const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
const REMINDER_MS = 10_000;

/**
 * Shows each step of the set-up with the time that it took: one moving line on a terminal, plain
 * lines (with a reminder every ten seconds) anywhere else.
 */
export function createProgress({ stream = process.stdout } = {}) {
  const isTerminal = Boolean(stream.isTTY);

  /**
   * @template T
   * @param {string} title what is being done
   * @param {(report: (detail: string) => void) => Promise<T>} work gets a function that shows its
   *   latest detail; resolves to what to print beside the title
   * @returns {Promise<T>}
   */
  async function step(title, work) {
    const startedAt = performance.now();
    const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(1);
    let detail = '';
    let frame = 0;
    let announced = false;

    const timer = setInterval(
      () => {
        if (isTerminal) {
          frame = (frame + 1) % FRAMES.length;
          draw(stream, `${FRAMES[frame]} ${title} (${seconds()} s) ${detail}`);
        } else {
          if (!announced) stream.write(`  ${title} ...\n`);
          announced = true;
          stream.write(`  ${title}: ${seconds()} s ${detail}\n`);
        }
      },
      isTerminal ? FRAME_MS : REMINDER_MS,
    );
    try {
      const note = await work((text) => {
        if (!isTerminal && !announced) {
          announced = true;
          stream.write(`  ${title} ...\n`);
        }
        detail = text;
      });
      finish('✓', note ? `: ${note}` : '');
      return note;
    } catch (error) {
      finish('✗', '');
      throw error;
    } finally {
      clearInterval(timer);
    }

    function finish(mark, note) {
      if (isTerminal) stream.write('\r\u001b[2K');
      stream.write(`${mark} ${title}${note} (${seconds()} s)\n`);
    }
  }

  return { step };
}

function draw(stream, line) {
  const width = (stream.columns || 80) - 1;
  stream.write(`\r\u001b[2K${line.slice(0, width)}`);
}
