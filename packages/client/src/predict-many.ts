import type { Prediction } from './prediction.ts';

/** How one of many inputs ended. */
export type ManyResult<Input, Output> =
  | {
      readonly ok: true;
      /** The input's place, from 0. */
      readonly index: number;
      readonly input: Input;
      readonly output: Output;
      readonly prediction: Prediction<Output>;
    }
  | { readonly ok: false; readonly index: number; readonly input: Input; readonly error: unknown };

export interface ManyOptions {
  /** Predictions at a time, those counted whose results nobody has taken yet. Default 32. */
  readonly concurrency?: number;
  /** `input`: results in the order of the inputs; `completion`: as they come. Default `input`. */
  readonly order?: 'input' | 'completion';
}

export interface ManyRun<Input, Output> extends Required<ManyOptions> {
  readonly inputs: Iterable<Input> | AsyncIterable<Input>;
  /** Runs one input; the signal is aborted when nobody wants results any more. */
  readonly run: (input: Input, signal: AbortSignal) => Promise<Prediction<Output>>;
  /** The output of an ended prediction. @throws PredictionError */
  readonly outputOf: (prediction: Prediction<Output>) => Output;
  readonly signal: AbortSignal | undefined;
}

/**
 * Runs many inputs, a bounded number at a time. The next input is only taken when there is room, and a
 * result that nobody takes keeps its room: so a slow reader slows the reading of inputs.
 *
 * What happens (an input arrived, a prediction ended, the caller aborted) is noted, and wakes the loop,
 * which starts and yields what it can. When the reader stops, or the inputs throw, or the signal is
 * aborted, everything in flight is aborted.
 */
export async function* runMany<Input, Output>(
  many: ManyRun<Input, Output>,
): AsyncGenerator<ManyResult<Input, Output>, void> {
  const { concurrency, order, signal } = many;
  const source = iteratorOf(many.inputs);
  let isOver = false;
  const finished = new Map<number, ManyResult<Input, Output>>();
  // One controller each: platforms warn of a signal that dozens listen to.
  const running = new Map<AbortController, Promise<void>>();
  let wake = (): void => {};
  let started = 0;
  let yielded = 0;
  let isPulling = false;
  let isExhausted = false;
  let fault: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    fault ??= { error };
    wake();
  };
  const onAbort = (): void => fail(signal?.reason);

  const start = (input: Input): void => {
    const index = started;
    started += 1;
    const controller = new AbortController();
    const ended = runOne(many, input, index, controller.signal).then((result) => {
      running.delete(controller);
      finished.set(index, result);
      wake();
    });
    running.set(controller, ended);
  };
  const pull = (): void => {
    isPulling = true;
    const next = async (): Promise<void> => {
      const item = await source.next();
      isPulling = false;
      if (item.done === true) isExhausted = true;
      else if (!isOver) start(item.value);
      wake();
    };
    next().catch(fail);
  };
  /** The result to yield next, if it is there. */
  const take = (): ManyResult<Input, Output> | undefined => {
    const [index] = order === 'input' ? [yielded] : finished.keys();
    const result = index === undefined ? undefined : finished.get(index);
    if (result !== undefined) finished.delete(result.index);
    return result;
  };

  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      if (fault !== undefined) throw fault.error;
      if (!isPulling && !isExhausted && started - yielded < concurrency) pull();
      const result = take();
      if (result !== undefined) {
        yield result;
        yielded += 1;
      } else if (isExhausted && started === yielded) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    isOver = true;
    for (const controller of running.keys()) controller.abort(signal?.reason);
    await Promise.all(running.values());
    const ended = isExhausted ? undefined : Promise.resolve(source.return?.());
    // A source that is being asked ends when it has answered, and nobody knows when that is.
    if (isPulling) ended?.catch(() => {});
    else await ended;
  }
}

async function runOne<Input, Output>(
  { run, outputOf }: ManyRun<Input, Output>,
  input: Input,
  index: number,
  signal: AbortSignal,
): Promise<ManyResult<Input, Output>> {
  try {
    const prediction = await run(input, signal);
    return { ok: true, index, input, output: outputOf(prediction), prediction };
  } catch (error) {
    return { ok: false, index, input, error };
  }
}

function iteratorOf<Input>(
  inputs: Iterable<Input> | AsyncIterable<Input>,
): AsyncIterator<Input> | Iterator<Input> {
  return Symbol.asyncIterator in inputs
    ? inputs[Symbol.asyncIterator]()
    : inputs[Symbol.iterator]();
}
