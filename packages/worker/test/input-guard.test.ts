import { encodeTensors, QuernError } from '@quern/contract';
import {
  CancellationWatch,
  connectRedis,
  inputFingerprint,
  type JobResult,
  type QuarantinedInput,
  QuarantineWatch,
  type QueuedPrediction,
} from '@quern/queue';
import { RunnerFault } from '@quern/runtime';
import { TestRedis } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InputGuard, type InputGuardOptions } from '../src/input-guard.ts';

let server: TestRedis;
let redis: Awaited<ReturnType<typeof connectRedis>>;
let subscriber: typeof redis;
beforeAll(async () => {
  server = await TestRedis.start();
  const connection = { url: server.url, name: 'test', waitMs: 10_000, onError: () => {} };
  redis = await connectRedis({ ...connection, role: 'worker' });
  subscriber = await connectRedis({ ...connection, role: 'subscriber' });
});
afterAll(async () => {
  subscriber.disconnect();
  redis.disconnect();
  await server.stop();
});

let watch: QuarantineWatch;
beforeEach(async () => {
  await redis.flushall();
  watch = new QuarantineWatch({ redis, subscriber, onError: () => {} });
  await watch.start();
});
afterEach(() => watch.close());

const summary = { batchId: 'b' } as JobResult;
const crash = new RunnerFault('RUNNER_CRASHED', 'signal SIGSEGV', true);

function prediction(text: string, changes: Partial<QueuedPrediction> = {}): QueuedPrediction {
  const inline = encodeTensors([
    { name: 'x', datatype: 'UINT8', shape: [text.length], data: Buffer.from(text) },
  ]);
  return {
    id: text,
    runsAs: 'normal',
    data: {
      model: 'm',
      version: 1,
      rows: 1,
      lane: '',
      bytes: inline.byteLength,
      form: 'nested',
      shapes: {},
      priority: 'normal',
    },
    createdAtMs: 0,
    attempt: 1,
    failures: 0,
    input: { inline },
    resultKey: 'r',
    cancellation: new CancellationWatch(),
    ...changes,
  };
}

/** A guard over a model that dies of every input that says so. */
function guarded(changes: Partial<InputGuardOptions> = {}) {
  const told: QuarantinedInput[] = [];
  let runs = 0;
  let kills = 0;
  const guard = new InputGuard({
    watch,
    payloads: { read: async () => [] },
    model: 'm',
    version: 1,
    quarantineMs: 600_000,
    control: async () => {},
    onQuarantined: (input) => told.push(input),
    onError: (error) => {
      throw error;
    },
    ...changes,
  });
  const run = (predictions: readonly QueuedPrediction[]) =>
    guard.run(predictions, async (part) => {
      runs += 1;
      if (part.some(({ id }) => id.startsWith('kill'))) {
        kills += 1;
        throw crash;
      }
      return part.map(() => ({ ok: true, value: summary }));
    });
  return { run, told, counts: () => ({ runs, kills }) };
}

const REFUSED = { ok: false, error: { code: 'INPUT_QUARANTINED' } };

describe('InputGuard', () => {
  it('lets an input kill two runners alone, not three, whoever sends it', async () => {
    const { run, told, counts } = guarded();
    await expect(run([prediction('kill')])).rejects.toBe(crash);
    expect(await run([prediction('kill')])).toMatchObject([REFUSED]);
    expect(await run([prediction('kill', { id: 'other' })])).toMatchObject([REFUSED]);
    expect(counts()).toEqual({ runs: 2, kills: 2 });
    expect(told).toMatchObject([{ version: 1, reason: 'signal SIGSEGV' }]);
  });

  it('counts no kill in company, where nobody knows whose fault it was', async () => {
    const { run, told } = guarded();
    for (let i = 0; i < 5; i++) {
      await expect(run([prediction('kill'), prediction('good')])).rejects.toBe(crash);
    }
    expect(told).toEqual([]);
  });

  it('leaves the quarantined out of a batch, and runs the others', async () => {
    const { run } = guarded();
    await expect(run([prediction('kill')])).rejects.toBe(crash);
    await run([prediction('kill')]);
    const outcomes = await run([prediction('a'), prediction('kill'), prediction('b')]);
    expect(outcomes).toMatchObject([{ ok: true }, REFUSED, { ok: true }]);
  });

  it('counts over workers', async () => {
    await expect(guarded().run([prediction('kill')])).rejects.toBe(crash);
    expect(await guarded().run([prediction('kill')])).toMatchObject([REFUSED]);
  });

  it('blames no input for a model that dies of a known one too', async () => {
    const { run, told } = guarded({ control: () => Promise.reject(crash) });
    for (let i = 0; i < 4; i++) await expect(run([prediction('kill')])).rejects.toBe(crash);
    expect(told).toEqual([]);
  });

  it('holds other faults against nobody', async () => {
    const { told, run } = guarded();
    const guard = new InputGuard({
      watch,
      payloads: { read: async () => [] },
      model: 'm',
      version: 1,
      quarantineMs: 600_000,
      control: async () => {},
      onQuarantined: (input) => told.push(input),
      onError: () => {},
    });
    for (const fault of [
      new RunnerFault('RUN_TIMEOUT', 'too long', true),
      new RunnerFault('INFERENCE_FAILED', 'no', true),
      new RunnerFault('RUNNER_CRASHED', 'gone', false),
    ]) {
      for (let i = 0; i < 3; i++) {
        const failing = guard.run([prediction('a')], () => Promise.reject(fault));
        await expect(failing).rejects.toBe(fault);
      }
    }
    expect(told).toEqual([]);
    expect(await run([prediction('a')])).toMatchObject([{ ok: true }]);
  });

  it('reads an input that does not lie in its job', async () => {
    const inline = new Uint8Array([1, 2, 3]);
    const { run } = guarded({ payloads: { read: async () => [inline] } });
    const large = prediction('kill', { input: { key: 'k' } });
    await expect(run([large])).rejects.toBe(crash);
    expect(await run([large])).toMatchObject([REFUSED]);
    expect(watch.refusal('m', 1, inline)).toBeInstanceOf(QuernError);
    expect((await watch.store.list('m'))[0]?.fingerprint).toBe(inputFingerprint('m', 1, inline));
  });

  it('does nothing where quarantine is switched off', async () => {
    const { run } = guarded({ quarantineMs: 0 });
    for (let i = 0; i < 4; i++) await expect(run([prediction('kill')])).rejects.toBe(crash);
  });
});
