import { VirtualClock } from '@quern/batcher';
import { QuernError } from '@quern/contract';
import { RunnerFault } from '@quern/runtime';
import { describe, expect, it } from 'vitest';
import { VersionHealth } from '../src/version-health.ts';

/** A model that is sound or broken, as the test says. */
function watched(canControl = true) {
  const clock = new VirtualClock();
  const seen = { isBroken: false, controls: 0, restarts: 0, opened: 0 };
  const changes: (string | undefined)[] = [];
  const health: VersionHealth = new VersionHealth({
    runners: {
      run: async ({ control }) => {
        expect(control).toBe(true);
        seen.controls += 1;
        if (seen.isBroken) throw new RunnerFault('INFERENCE_FAILED', 'device lost', true);
        return {
          outcomes: [],
          collateMs: 0,
          inferenceMs: 1,
          splitMs: 0,
          storeMs: 0,
          paddingRatio: 0,
        };
      },
      restart: async () => {
        seen.restarts += 1;
      },
    },
    clock,
    onChange: () => changes.push(health.reason),
    onOpen: () => {
      seen.opened += 1;
    },
    settings: { canControl },
  });
  return { clock, health, seen, changes };
}

const refused = new QuernError('INFERENCE_FAILED', 'index out of range');
const crashed = new QuernError('RUNNER_CRASHED', 'signal SIGSEGV');

describe('VersionHealth', () => {
  it('checks a row of faults with a control run, and blames the inputs when it passes', async () => {
    const { clock, health, seen, changes } = watched();
    for (let i = 0; i < 3; i++) health.faulted(refused);
    await clock.settle();
    expect(seen).toMatchObject({ controls: 1, restarts: 0, opened: 0 });
    expect(health.reason).toBeUndefined();
    expect(changes).toEqual([]);
  });

  it('is unhealthy while control runs fail, with new runners each time, and well when one passes', async () => {
    const { clock, health, seen, changes } = watched();
    seen.isBroken = true;
    for (let i = 0; i < 3; i++) health.faulted(refused);
    await clock.settle();
    expect(health.reason).toMatch(/it has run before: device lost/);
    expect(seen).toMatchObject({ controls: 1, restarts: 1, opened: 1 });

    await clock.advanceBy(5000);
    expect(seen).toMatchObject({ controls: 2, restarts: 2, opened: 2 });
    seen.isBroken = false;
    await clock.advanceBy(9999);
    expect(health.reason).toBeDefined();
    await clock.advanceBy(1);
    expect(health.reason).toBeUndefined();
    expect(changes).toHaveLength(2);
    expect(clock.pendingTimers).toBe(0);
  });

  it('answers whether the model is broken when the check that is under way has ended', async () => {
    const { health, seen } = watched();
    expect(await health.isBroken()).toBe(false);
    for (let i = 0; i < 3; i++) health.faulted(refused);
    expect(await health.isBroken()).toBe(false);
    seen.isBroken = true;
    for (let i = 0; i < 6; i++) health.faulted(refused);
    expect(await health.isBroken()).toBe(true);
  });

  it('tells who asks for a control run of its failure, and opens for it', async () => {
    const { health, seen } = watched();
    seen.isBroken = true;
    await expect(health.control()).rejects.toMatchObject({ code: 'INFERENCE_FAILED' });
    expect(health.reason).toBeDefined();
  });

  it('without a control input opens for ten crashes in a row, and tries new processes', async () => {
    const { clock, health, seen } = watched(false);
    for (let i = 0; i < 9; i++) health.faulted(crashed);
    expect(health.reason).toBeUndefined();
    health.faulted(crashed);
    expect(health.reason).toBe('signal SIGSEGV');
    await clock.advanceBy(5000);
    expect(health.reason).toBeUndefined();
    expect(seen).toMatchObject({ restarts: 1, opened: 1 });
  });

  it('holds nothing of what the worker ended itself against the model', async () => {
    const { clock, health, seen } = watched();
    for (const code of ['SHUTTING_DOWN', 'MODEL_UNAVAILABLE'] as const) {
      for (let i = 0; i < 20; i++) health.faulted(new QuernError(code, 'no runner'));
    }
    await clock.settle();
    expect(seen.controls).toBe(0);
  });

  it('leaves no timer behind', async () => {
    const { clock, health, seen } = watched();
    seen.isBroken = true;
    await expect(health.control()).rejects.toThrow();
    health.close();
    expect(clock.pendingTimers).toBe(0);
  });
});
