import { join } from 'node:path';
import { eventually, TestProcess, TestRedis } from '@quern/testkit';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { DeviceLeases } from '../src/index.ts';
import { Workbench } from './workbench.ts';

let server: TestRedis;
let bench: Workbench;
beforeAll(async () => {
  server = await TestRedis.start();
  bench = await Workbench.open(server.url);
});
afterAll(async () => {
  await bench.close();
  await server.stop();
});
beforeEach(async () => {
  await bench.redis.flushall();
});

const children: TestProcess[] = [];
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop('SIGKILL')));
});

const DEVICES = ['gpu-0', 'gpu-1', 'gpu-2'];

function open(ttlMs = 60_000): DeviceLeases {
  const onError = (error: Error): void => void bench.errors.push(error);
  const leases = new DeviceLeases({ redis: bench.redis, onError, ttlMs });
  onTestFinished(() => leases.close());
  return leases;
}

function startHolder(ttlMs: number, devices = DEVICES): TestProcess {
  const child = new TestProcess({
    name: 'holder',
    command: process.execPath,
    args: [
      '--conditions=@quern/source',
      '--import',
      'tsx',
      join(import.meta.dirname, 'processes', 'hold-device.ts'),
      server.url,
      String(ttlMs),
      ...devices,
    ],
  });
  children.push(child);
  return child;
}

const heldBy = async (child: TestProcess): Promise<string> =>
  (await child.line(/^holds /)).replace('holds ', '');

test('processes that ask at the same time get a device each, and the next ones share', async () => {
  const three = [startHolder(60_000), startHolder(60_000), startHolder(60_000)];
  const held = await Promise.all(three.map(heldBy));
  expect(held.sort()).toEqual(DEVICES);
  const here = open();
  const more = await Promise.all([1, 2, 3, 4].map(() => here.acquire('m', DEVICES)));
  expect(new Set(more.slice(0, 3).map(({ device }) => device)).size).toBe(3);
});

test('a lease is free again when it is given back, and when the process that held it was killed', async () => {
  const [polite, killed] = [startHolder(1500), startHolder(1500)] as const;
  const devices = await Promise.all([heldBy(polite), heldBy(killed)]);
  await polite.stop('SIGTERM');
  await killed.stop('SIGKILL');
  const here = open();
  expect((await here.acquire('m', devices)).device).toBe(devices[0]);
  // The other one's lease counts for as long as it might still live.
  await eventually(async () => {
    const lease = await here.acquire('m', devices);
    if (lease.device === devices[1]) return true;
    await lease.release();
    return false;
  });
});

test('a lease lives on for as long as it is held', async () => {
  const holder = open(300);
  const held = await holder.acquire('m', DEVICES);
  const watcher = open();
  const firstEnds = await endOf(held.device);
  await eventually(async () => (await endOf(held.device)) > firstEnds + 600);
  expect((await watcher.acquire('m', DEVICES)).device).not.toBe(held.device);
  // Lost, e.g. with a Redis that forgot: the device is still in use, and that is said again.
  await bench.redis.flushall();
  await eventually(async () => (await endOf(held.device)) > 0);
  await holder.close();
  expect(await endOf(held.device)).toBe(0);
});

async function endOf(device: string): Promise<number> {
  const entries = await bench.redis.zrange('quern:{devices}:leases', '0', '-1', 'WITHSCORES');
  const index = entries.findIndex((member) => member.endsWith(` ${device}`));
  return index === -1 ? 0 : Number(entries[index + 1]);
}

test('whatever is taken and given back, the device with the fewest leases is next', async () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ take: fc.constantFrom('a', 'b') }),
      fc.record({ giveBack: fc.nat(), take: fc.constant(undefined) }),
    ),
    { maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const leases = open();
      const held: { model: string; device: string; release(): Promise<void> }[] = [];
      const load = (device: string, model?: string) =>
        held.filter((l) => l.device === device && (model === undefined || l.model === model))
          .length;
      for (const step of sequence) {
        if (step.take === undefined) {
          await held.splice(step.giveBack % (held.length + 1), 1)[0]?.release();
          continue;
        }
        const model = step.take;
        const lease = await leases.acquire(model, DEVICES);
        const cost = (device: string) => load(device) * 100 + load(device, model);
        expect(cost(lease.device)).toBe(Math.min(...DEVICES.map(cost)));
        held.push({ model, ...lease });
      }
      await leases.close();
      expect(await bench.redis.zcard('quern:{devices}:leases')).toBe(0);
    }),
    { numRuns: 30 },
  );
});
