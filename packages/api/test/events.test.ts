import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { echo, startEchoWorker } from './echo-worker.ts';
import { RunningApi } from './running-api.ts';

let api: RunningApi;
const workers: { close: () => Promise<void> }[] = [];
beforeAll(async () => {
  api = await RunningApi.start();
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.close()));
});
afterAll(() => api.stop());

interface Event {
  readonly id: string;
  readonly data: { readonly id: string; readonly status: string; readonly output: unknown };
}

async function submit(): Promise<string> {
  const body = { input: { x: [[1, 2]] } };
  const { json } = await api.call('POST', '/v1/models/pair/predictions', { body });
  return (json as { id: string }).id;
}

/** Opens the stream; events come out one by one until the server ends it. */
async function* follow(id: string, lastEventId?: string): AsyncGenerator<Event> {
  const response = await fetch(`${api.url}/v1/predictions/${id}/events`, {
    headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, eventId = ''] = /^id: (.*)$/m.exec(block) ?? [];
      const [, data = ''] = /^data: (.*)$/m.exec(block) ?? [];
      yield { id: eventId, data: JSON.parse(data) as Event['data'] };
    }
  }
}

async function all(events: AsyncGenerator<Event>): Promise<Event[]> {
  const found: Event[] = [];
  for await (const event of events) found.push(event);
  return found;
}

test('each change of status is an event, and the stream ends with the prediction', async () => {
  const id = await submit();
  const events = follow(id);
  expect((await events.next()).value.data.status).toBe('starting');
  let answer = (): void => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  workers.push(
    await startEchoWorker(api.redisServer.url, 'pair', async (inputs, prediction) => {
      await held;
      return echo(inputs, prediction);
    }),
  );
  expect((await events.next()).value.data.status).toBe('processing');
  answer();
  const end = (await events.next()).value;
  expect(end.data).toMatchObject({ id, status: 'succeeded', output: { y: [[1, 2]] } });
  expect((await events.next()).done).toBe(true);
});

test('who comes back hears only what is new, and nothing when all is known', async () => {
  const id = await submit();
  const [first] = [await follow(id).next()];
  workers.push(await startEchoWorker(api.redisServer.url, 'pair'));
  const missed = await all(follow(id, first?.value.id));
  const last = missed.at(-1);
  expect(missed.map(({ data }) => data.status)).not.toContain('starting');
  expect(last?.data.status).toBe('succeeded');
  const headers = { 'last-event-id': last?.id ?? '' };
  const answer = await api.call('GET', `/v1/predictions/${id}/events`, { headers });
  expect(answer.status).toBe(204);
});

test('a prediction that has ended is one event', async () => {
  workers.push(await startEchoWorker(api.redisServer.url, 'pair'));
  const id = await submit();
  await api.call('GET', `/v1/predictions/${id}?wait=10`);
  expect((await all(follow(id))).map(({ data }) => data.status)).toEqual(['succeeded']);
});

test('a canceled prediction ends its stream', async () => {
  const id = await submit();
  const events = all(follow(id));
  await api.call('POST', `/v1/predictions/${id}/cancel`);
  expect((await events).at(-1)?.data.status).toBe('canceled');
});

test('no such prediction, or no such event, is an error', async () => {
  expect(await api.call('GET', '/v1/predictions/nothing/events')).toMatchObject({ status: 404 });
  const headers = { 'last-event-id': 'x' };
  const path = `/v1/predictions/${await submit()}/events`;
  expect(await api.call('GET', path, { headers })).toMatchObject({ status: 400 });
});

test('a server that stops ends its streams; the client goes on elsewhere', async () => {
  const stopping = await RunningApi.start();
  const body = { input: { x: [[1, 2]] } };
  const { json } = await stopping.call('POST', '/v1/models/pair/predictions', { body });
  const { urls } = json as { urls: { events: string } };
  const response = await fetch(urls.events);
  const closing = stopping.server.close();
  // It ends in order: a connection that is cut off would be an error here.
  expect(await response.text()).toContain('"status":"starting"');
  await closing;
  await stopping.stop();
});
