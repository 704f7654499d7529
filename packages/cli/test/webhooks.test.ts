import { describe, expect, it } from 'vitest';
import { UsageError } from '../src/exit-codes.ts';
import { runInProcess } from './run-in-process.ts';
import { StandInApi } from './stand-in-api.ts';

const delivery = {
  id: 'msg_TIEAepREdfDe5rE7eDi3vj4CBHP',
  event: 'completed',
  state: 'failed',
  prediction: { id: 'digits.01m85tt4t1fc04w88ywwdr74a5', model: 'digits', status: 'succeeded' },
  url: 'https://hooks.example.com/quern',
  failed_attempts: 10,
  since: '2026-11-23T10:00:00.000Z',
  next_attempt_at: null,
  finished_at: '2026-11-26T10:00:00.000Z',
  reason: 'it answered 500, at the last of 10 attempts',
};

describe('quern webhooks', () => {
  it('lists what was given up, to whom and why', async () => {
    const body = { results: [delivery] };
    await using api = await StandInApi.start(() => ({ status: 200, body }));
    const list = ['webhooks', 'list', '--failed', '--url', api.url];
    const run = await runInProcess([...list, '--host', 'hooks.example.com']);
    expect(api.calls).toEqual([
      'GET /v1/webhooks/deliveries?state=failed&limit=1000&host=hooks.example.com',
    ]);
    for (const text of [delivery.id, delivery.prediction.id, delivery.url, delivery.reason]) {
      expect(run.stdout).toContain(text);
    }
    expect(JSON.parse((await runInProcess([...list, '--json'])).stdout)).toEqual(body);
  });

  it('says so if there is none', async () => {
    await using api = await StandInApi.start(() => ({ status: 200, body: { results: [] } }));
    const run = await runInProcess(['webhooks', 'list', '--url', api.url]);
    expect(run).toMatchObject({ code: 0, stdout: 'No delivery is waiting.\n' });
  });

  it('shows what was tried', async () => {
    const log = ['2026-11-23T10:00:00.000Z attempt 1, 12 ms: it answered 500'];
    await using api = await StandInApi.start(() => ({ status: 200, body: { ...delivery, log } }));
    const run = await runInProcess(['webhooks', 'show', delivery.id, '--url', api.url]);
    expect(api.calls).toEqual([`GET /v1/webhooks/deliveries/${delivery.id}`]);
    expect(run.stdout).toContain(log[0]);
  });

  it('replays one, all, or those to one host', async () => {
    await using api = await StandInApi.start(({ url }) => ({
      status: 200,
      body: url === '/v1/webhooks/replay' ? { replayed: 3 } : delivery,
    }));
    const replay = ['webhooks', 'replay', '--url', api.url];
    expect((await runInProcess([...replay, delivery.id])).stdout).toContain(delivery.url);
    expect((await runInProcess([...replay, '--all'])).stdout).toBe('3 replayed.\n');
    await runInProcess([...replay, '--all', '--host', 'hooks.example.com']);
    expect(api.calls[0]).toBe(`POST /v1/webhooks/deliveries/${delivery.id}/replay`);
    expect(api.requests.slice(1).map(({ body }) => body)).toEqual([
      {},
      { host: 'hooks.example.com' },
    ]);
  });

  it.each([[[]], [['msg_x', '--all']]])('replay %j is a mistake', async (rest) => {
    const run = await runInProcess(['webhooks', 'replay', ...rest]);
    expect(run.error).toBeInstanceOf(UsageError);
  });
});
