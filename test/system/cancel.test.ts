import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { untilEnded } from './load.ts';
import { loopInput } from './loop-model.ts';
import { cancel, read, submit, untilStatus } from './predictions.ts';
import { type RunningStack, startStack } from './running-stack.ts';

const CANCELED = { status: 'canceled', output: null, error: { code: 'CANCELED' } };
const QUICK = loopInput(0);

let running: RunningStack;

beforeAll(async () => {
  running = await startStack({
    models: [{ name: 'slow', onnx: 'loop', yaml: 'batching: {mode: fixed, maxBatchSize: 2}\n' }],
  });
});

afterAll(() => running?.stop());

it('ends a prediction that waits in the queue, while no worker runs', async () => {
  const { stack } = running;
  await stack.workers[0]?.stop();
  const [before = '', unwanted = '', after = ''] = await submitInOrder(3);
  expect(await cancel(stack, unwanted)).toMatchObject(CANCELED);
  expect(await read(stack, before)).toMatchObject({ status: 'starting' });
  stack.addWorker();
  await expectSuccess(before, after);
  await expectEndedOnce(unwanted);
  expect(await read(stack, unwanted)).toMatchObject({ metrics: { attempts: 0 } });
});

describe('while a run keeps the worker busy', () => {
  let busy: string;
  beforeEach(async () => {
    busy = await submit(running.stack, 'slow', loopInput(2));
    await untilStatus(running.stack, busy, 'processing');
  });

  it('drops a prediction that a worker holds but has not started', async () => {
    const { stack } = running;
    // The first is made ready behind the run; the others wait for a place.
    const neighbours = await submitInOrder(3);
    // Were it run, it would keep the model busy for an hour.
    const unwanted = await submit(stack, 'slow', loopInput(3600));
    await untilStatus(stack, unwanted, 'processing');
    expect(await cancel(stack, unwanted)).toMatchObject(CANCELED);
    expect(await read(stack, busy)).toMatchObject({ status: 'processing' });
    await expectSuccess(busy, ...neighbours);
    await expectEndedOnce(unwanted);
  });

  it('discards the result of a prediction that runs', async () => {
    const { stack } = running;
    const [next = ''] = await submitInOrder(1);
    expect(await cancel(stack, busy)).toMatchObject(CANCELED);
    await expectSuccess(next);
    await expectEndedOnce(busy);
  });

  it('ends a prediction once, however many cancel it', async () => {
    const { stack } = running;
    const [held = ''] = await submitInOrder(1);
    const answers = await Promise.all(
      [busy, held].flatMap((id) => Array.from({ length: 10 }, () => cancel(stack, id))),
    );
    for (const answer of answers) expect(answer).toMatchObject(CANCELED);
    await expectEndedOnce(busy);
    await expectEndedOnce(held);
  });
});

it('changes nothing about a prediction that has ended', async () => {
  const { stack } = running;
  const id = await submit(stack, 'slow', QUICK);
  const ended = await untilEnded(stack, id, 30_000);
  expect(ended.status).toBe('succeeded');
  expect(await cancel(stack, id)).toEqual(ended);
  expect(await read(stack, id)).toEqual(ended);
});

/** Quick predictions that lie in the queue in this order. */
async function submitInOrder(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push(await submit(running.stack, 'slow', QUICK));
  return ids;
}

async function expectSuccess(...ids: string[]): Promise<void> {
  for (const id of ids) {
    expect(await untilEnded(running.stack, id, 30_000)).toMatchObject({ status: 'succeeded' });
  }
}

/** It is still canceled when the model has gone on to something else, and its job ended but once. */
async function expectEndedOnce(id: string): Promise<void> {
  const { stack, redis } = running;
  const [next = ''] = await submitInOrder(1);
  await expectSuccess(next);
  expect(await read(stack, id)).toMatchObject(CANCELED);
  const events = await redis.client.xrange('quern:{slow}:slow:events', '-', '+');
  const ends = events
    .map(([, fields]) => Object.fromEntries(pairs(fields)))
    .filter(({ event, jobId }) => jobId === id && (event === 'failed' || event === 'completed'));
  expect(ends).toHaveLength(1);
}

function pairs(fields: readonly string[]): [string, string][] {
  return fields.flatMap((field, i): [string, string][] =>
    i % 2 === 0 ? [[field, fields[i + 1] ?? '']] : [],
  );
}
