import type { ServerResponse } from 'node:http';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { serverEvents } from '../src/event-stream.ts';
import { type Prediction, QuernClient } from '../src/index.ts';
import { refuse, ScriptedServer, unfinished, wirePrediction } from './scripted-server.ts';

const EVENTS = [
  { id: '0', body: unfinished('starting') },
  { id: '1', body: unfinished('processing') },
  { id: '3', body: wirePrediction() },
];

function open(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  response.flushHeaders();
}

const written = ({ id, body }: (typeof EVENTS)[number]): string =>
  `id: ${id}\ndata: ${JSON.stringify(body)}\n\n`;

async function statuses(states: AsyncIterable<Prediction>): Promise<string[]> {
  const seen: string[] = [];
  for await (const { status } of states) seen.push(status);
  return seen;
}

const WHOLE = ['starting', 'processing', 'succeeded'];

describe('stream', () => {
  test('reads the states from one answer as they come', async () => {
    await using server = await ScriptedServer.start((_, response) => {
      open(response);
      response.end(EVENTS.map(written).join(': still here\n\n'));
    });
    expect(await statuses(new QuernClient(server).stream('digits.1'))).toEqual(WHOLE);
    expect(server.calls).toEqual(['GET /v1/predictions/digits.1/events']);
    expect(server.requests[0]?.headers['accept']).toBe('text/event-stream');
  });

  test('goes on where a broken connection left off', async () => {
    await using server = await ScriptedServer.start((request, response) => {
      const last = request.headers['last-event-id'];
      const next = EVENTS.findIndex(({ id }) => id === last) + 1;
      const text = EVENTS.slice(next).map(written).join('');
      open(response);
      // One event, and a piece of the one behind it, which must be told again.
      response.write(text.slice(0, text.indexOf('\n\n') + 12), () => response.destroy());
    });
    expect(await statuses(new QuernClient(server).stream('digits.1'))).toEqual(WHOLE);
    expect(server.requests.map(({ headers }) => headers['last-event-id'])).toEqual([
      undefined,
      '0',
      '1',
    ]);
  });

  test('goes on with another process when one stops', async () => {
    await using server = await ScriptedServer.start((_, response, index) => {
      if (index === 1) return refuse(response, 503, 'SHUTTING_DOWN');
      open(response);
      response.end(EVENTS.slice(index).map(written)[0]);
    });
    expect(await statuses(new QuernClient(server).stream('digits.1'))).toEqual([
      'starting',
      'succeeded',
    ]);
  });

  test('throws what the API refuses', async () => {
    await using server = await ScriptedServer.start((_, response) =>
      refuse(response, 404, 'PREDICTION_NOT_FOUND'),
    );
    const states = new QuernClient(server).stream('digits.1');
    await expect(states.next()).rejects.toMatchObject({ code: 'PREDICTION_NOT_FOUND' });
    expect(server.requests).toHaveLength(1);
  });

  test('ends its connection when the loop is left, and when it is aborted', async () => {
    await using server = await ScriptedServer.start((_, response) => {
      open(response);
      response.write(EVENTS.slice(0, 1).map(written)[0] ?? '');
    });
    const client = new QuernClient(server);
    for await (const { status } of client.stream('digits.1')) {
      expect(status).toBe('starting');
      break;
    }
    await expect.poll(() => server.hangUps).toBe(1);
    const controller = new AbortController();
    const states = client.stream('digits.1', { signal: controller.signal });
    await states.next();
    const next = states.next();
    controller.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
    await expect.poll(() => server.hangUps).toBe(2);
  });
});

test('events are found however their bytes are cut, with any line ends', async () => {
  const event = fc.record({
    id: fc.option(fc.stringMatching(/^\w{1,4}$/), { nil: undefined }),
    lines: fc.array(fc.stringMatching(/^[^\r\n\0]{0,8}$/u), { minLength: 1, maxLength: 3 }),
  });
  const lineEnd = fc.constantFrom('\n', '\r\n', '\r');
  const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 4 }),
      lineEnd,
      cuts,
      async (events, end, sizes) => {
        const text = events
          .map(({ id, lines }) => [
            ': a comment',
            ...(id === undefined ? [] : [`id:${id}`]),
            ...lines.map((line) => `data: ${line}`),
            '',
            '',
          ])
          .map((lines) => lines.join(end))
          .join('');
        // The last event is cut off: nobody knows its end.
        const bytes = new TextEncoder().encode(`${text}data: lost${end}`);
        const found: unknown[] = [];
        for await (const one of serverEvents(cutting(bytes, sizes))) found.push(one);
        let last = '';
        const expected = events.map(({ id, lines }) => {
          last = id ?? last;
          return { id: last, data: lines.join('\n') };
        });
        expect(found).toEqual(expected);
      },
    ),
  );
});

async function* cutting(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
