import { TestRedis } from '@quern/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ListQuery, ModelTarget, PredictionQueue } from '../src/index.ts';
import { submissionTo, Workbench } from './workbench.ts';

// Lists that are read page by page while predictions come and go.
const MODEL = 'changing';

let server: TestRedis;
let bench: Workbench;
let queue: PredictionQueue;
let target: ModelTarget;
beforeAll(async () => {
  server = await TestRedis.start();
  bench = await Workbench.open(server.url);
  queue = await bench.producer();
  target = await bench.serve(queue, MODEL, { maxSize: 100_000 });
});
afterAll(async () => {
  await bench.close();
  await server.stop();
});

let made = 0;

/** Makes a prediction that looks as if made at that time. */
async function make(timeMs: number): Promise<string> {
  made += 1;
  const id = `p-${String(made).padStart(6, '0')}`;
  await queue.submit(submissionTo(target, { id }));
  await bench.redis.zadd(`quern:{${MODEL}}.predictions`, 'XX', timeMs, id);
  return id;
}

/** What retention does; the place on the list may outlive the job for a while. */
async function drop(id: string, isForgotten: boolean): Promise<void> {
  await bench.redis.zrem(`quern:{${MODEL}}:${MODEL}:prioritized`, id);
  await bench.redis.del(`quern:{${MODEL}}:${MODEL}:${id}`);
  if (isForgotten) await bench.redis.zrem(`quern:{${MODEL}}.predictions`, id);
}

/** What happens between two pages. */
const changes = fc.record({
  arriving: fc.nat({ max: 2 }),
  /** Indexes into what there was at the start. */
  going: fc.array(fc.record({ place: fc.nat({ max: 11 }), isForgotten: fc.boolean() }), {
    maxLength: 2,
  }),
});

test('pages show what stays once, newest first, and nothing twice, whatever comes and goes between them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(changes, { maxLength: 6 }),
      fc.boolean(),
      async (times, limit, between, isFiltered) => {
        await bench.redis.del(`quern:{${MODEL}}.predictions`);
        const started: { id: string; timeMs: number }[] = [];
        for (const timeMs of times) started.push({ id: await make(timeMs), timeMs });
        const gone = new Set<string>();
        const shown: string[] = [];
        const query: ListQuery = { model: MODEL, limit, ...(isFiltered && { status: 'starting' }) };
        let cursor: string | undefined;
        let page = 0;
        do {
          const { predictions, next } = await queue.list({ ...query, ...(cursor && { cursor }) });
          shown.push(...predictions.map(({ id }) => id));
          cursor = next;
          const { arriving = 0, going = [] } = between[page] ?? {};
          page += 1;
          for (let i = 0; i < arriving; i++) await make(1000 + page);
          for (const { place, isForgotten } of going) {
            const id = started[place]?.id;
            if (id === undefined || gone.has(id)) continue;
            await drop(id, isForgotten);
            gone.add(id);
          }
        } while (cursor !== undefined);
        const inOrder = started
          .sort((a, b) => b.timeMs - a.timeMs || (a.id < b.id ? 1 : -1))
          .map(({ id }) => id);
        // What went may have been shown before it did; what came after the first page never is.
        const seen = new Set(shown);
        expect(shown).toEqual(inOrder.filter((id) => seen.has(id)));
        expect(inOrder.filter((id) => !gone.has(id) && !seen.has(id))).toEqual([]);
      },
    ),
    { numRuns: 25 },
  );
});
