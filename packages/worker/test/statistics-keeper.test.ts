import type { StatisticsTally } from '@quern/queue';
import { eventually } from '@quern/testkit';
import { expect, test } from 'vitest';
import { StatisticsKeeper } from '../src/statistics-keeper.ts';

interface Write {
  readonly model: string;
  readonly successes: number;
}

function recordingStore(): { add: StatisticsAdd; writes: Write[] } {
  const writes: Write[] = [];
  return {
    writes,
    add: async (model, _version, tally) => {
      const successes = tally.take().added.get('success.count') ?? 0;
      if (successes > 0) writes.push({ model, successes });
    },
  };
}
type StatisticsAdd = (model: string, version: number, tally: StatisticsTally) => Promise<void>;

test('writes what has come together, by itself', async () => {
  const store = recordingStore();
  const keeper = new StatisticsKeeper({ store, isStoreReady: () => true, onError: () => {} });
  keeper.of('m', 1).ended('success', 1);
  keeper.of('m', 1).ended('success', 1);
  await eventually(() => expect(store.writes).toEqual([{ model: 'm', successes: 2 }]));
  await keeper.close();
});

test('keeps figures while the store is away, and writes the rest when it closes', async () => {
  const store = recordingStore();
  let isReady = false;
  let asked = 0;
  const isStoreReady = (): boolean => {
    asked += 1;
    return isReady;
  };
  const keeper = new StatisticsKeeper({ store, isStoreReady, onError: () => {} });
  keeper.of('m', 1).ended('success', 1);
  await eventually(() => expect(asked).toBeGreaterThan(1));
  expect(store.writes).toEqual([]);
  isReady = true;
  keeper.of('n', 1).ended('success', 1);
  await keeper.close();
  expect(store.writes).toEqual([
    { model: 'm', successes: 1 },
    { model: 'n', successes: 1 },
  ]);
});
