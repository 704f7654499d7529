import type { ServedModel } from '@quern/contract';
import { describe, expect, test } from 'vitest';
import { mergeModels } from '../src/known-model.ts';
import { type KnownRecord, knownRecordSchema, mergeRecord } from '../src/known-record.ts';
import { servedModel } from './workbench.ts';

const DAY_MS = 24 * 3_600_000;

function modelWith(...versions: Partial<ServedModel['versions'][0]>[]): ServedModel {
  const model = servedModel('m');
  const [base] = model.versions;
  if (base === undefined) throw new Error('no version');
  return { ...model, versions: versions.map((version) => ({ ...base, ...version })) };
}

/** What is known after workers have said these things, each at its time. */
function knownAfter(
  ...said: { atMs: number; model: ServedModel; startedAtMs?: number }[]
): KnownRecord {
  let known: KnownRecord | undefined;
  for (const { atMs, model, startedAtMs = 0 } of said) {
    known = mergeRecord(known, { model, startedAtMs, nowMs: atMs });
  }
  if (known === undefined) throw new Error('nothing was said');
  return known;
}

const numbersOf = ({ versions }: KnownRecord): number[] => versions.map(({ version }) => version);

describe('a version that was taken away', () => {
  const both = { atMs: 0, model: modelWith({ version: 1 }, { version: 2 }) };
  const older = modelWith({ version: 1 });

  test('is forgotten after a week without it', () => {
    expect(numbersOf(knownAfter(both, { atMs: 7 * DAY_MS - 1, model: older }))).toEqual([2, 1]);
    expect(numbersOf(knownAfter(both, { atMs: 7 * DAY_MS, model: older }))).toEqual([1]);
  });

  test('is not the default any more when no worker lives', () => {
    const outdated = (atMs: number) => {
      const [model] = mergeModels([knownAfter(both, { atMs, model: older })], []).values();
      return model?.versions.map(({ isOutdated }) => isOutdated === true);
    };
    expect(outdated(60_000)).toEqual([false, false]);
    expect(outdated(600_000)).toEqual([true, false]);
  });

  test('stays while some worker has its folder, even if that cannot load it', () => {
    const [good] = older.versions;
    if (good === undefined) throw new Error('no version');
    const broken = { version: 2, state: 'unhealthy' as const, instances: 0 };
    const half: ServedModel = { ...older, versions: [good, broken] };
    const said = { atMs: 6 * DAY_MS, model: half };
    const known = knownAfter(both, said, { atMs: 12 * DAY_MS, model: older });
    expect(numbersOf(known)).toEqual([2, 1]);
    expect(known.versions[0]?.signature).toEqual(good.signature);
  });
});

test('workers that agree do not write in turns', () => {
  const model = modelWith({ version: 1, labels: ['a', 'b'] });
  const reordered: ServedModel = {
    ...Object.fromEntries(Object.entries(model).toReversed()),
    ...model,
  };
  const text = JSON.stringify(knownAfter({ atMs: 0, model, startedAtMs: 5 }));
  const read = knownRecordSchema.parse(JSON.parse(text));
  for (const startedAtMs of [4, 5]) {
    const merged = mergeRecord(read, { model: reordered, startedAtMs, nowMs: 29_999 });
    expect(JSON.stringify(merged)).toBe(text);
  }
});
