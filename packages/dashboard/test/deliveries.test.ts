import { DeliveryConsumer } from '@quern/queue';
import { createLogger } from '@quern/service';
import { eventually } from '@quern/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type RunningDashboard, startDashboard } from '../src/index.ts';
import { type Answer, call, cookiesOf, sendSignIn } from './http-call.ts';
import { ServedModels } from './served-models.ts';

const ACCOUNT = { user: 'ops', password: 'correct horse' };
const WEBHOOK = { url: 'https://hooks.example.com/quern?token=secret', baseUrl: '' };

let models: ServedModels;
let dashboard: RunningDashboard;
let cookie: string;
beforeAll(async () => {
  models = await ServedModels.start();
  await models.publish('digits');
  const logger = createLogger({ name: 'dashboard', level: 'silent', pretty: false });
  const { queue } = models;
  const options = { queue, host: '127.0.0.1', port: 0, logger, credentials: ACCOUNT };
  dashboard = await startDashboard(options);
  cookie = cookiesOf(await sendSignIn(dashboard.url, ACCOUNT));
});
afterAll(async () => {
  await dashboard.close();
  await models.stop();
});

/** Calls the board's API as the signed-in operator. */
function act(path: string): Promise<Answer> {
  const url = `${dashboard.url}/api/queues/~webhooks/${path}`;
  return call(url, { method: 'PUT', headers: { cookie, 'content-type': 'application/json' } });
}

/** A delivery that waits; returns its id and its prediction's. */
async function tell(): Promise<{ id: string; prediction: string }> {
  const prediction = await models.submit('digits', { webhook: WEBHOOK });
  await models.queue.cancel(prediction);
  const waiting = await models.queue.webhooks.list({ state: 'waiting', limit: 100 });
  const found = waiting.find(({ data }) => data.prediction.id === prediction);
  return { id: found?.id ?? '', prediction };
}

/** Gives up whatever waits, as if its receiver had kept failing. */
async function giveUpAll(): Promise<void> {
  const consumer = new DeliveryConsumer({
    redis: models.connection,
    workerName: 'test',
    concurrency: 4,
    lockDurationMs: 30_000,
    stalledIntervalMs: 30_000,
    handler: async () => ({ type: 'given-up', reason: 'it answered 500' }),
    onError: () => {},
  });
  consumer.start();
  onTestFinished(() => consumer.close());
  await eventually(async () => {
    const waiting = await models.queue.webhooks.list({ state: 'waiting', limit: 100 });
    return waiting.length === 0;
  });
  await consumer.close();
}

async function stateOf(id: string): Promise<string | undefined> {
  return (await models.queue.webhooks.get(id))?.delivery.state;
}

describe('deliveries on the board', () => {
  test('say whom they tell of what, and nothing that may be secret', async () => {
    const { id, prediction } = await tell();
    const answer = await call(`${dashboard.url}/api/queues/~webhooks/${id}`);
    expect(JSON.parse(answer.text).job).toMatchObject({
      name: 'completed digits:1 · https://hooks.example.com/quern',
      data: { prediction, status: 'canceled', receiver: 'https://hooks.example.com/quern' },
    });
    const board = await call(`${dashboard.url}/api/queues?activeQueue=~webhooks&status=latest`);
    expect(board.text).toContain(prediction);
    for (const { text } of [answer, board]) expect(text).not.toContain('token');
  });

  test('cannot be removed before they have ended', async () => {
    const { id } = await tell();
    expect((await act(`${id}/clean`)).status).toBe(403);
    expect(await stateOf(id)).toBe('waiting');
    await giveUpAll();
    expect((await act(`${id}/clean`)).status).toBe(204);
    expect(await stateOf(id)).toBeUndefined();
  });

  test('that failed are replayed, one or all', async () => {
    const { id } = await tell();
    const { id: other } = await tell();
    await giveUpAll();
    expect(await stateOf(id)).toBe('failed');
    expect((await act(`${id}/retry`)).status).toBe(204);
    expect([await stateOf(id), await stateOf(other)]).toEqual(['waiting', 'failed']);
    expect((await act('retry/failed')).status).toBe(200);
    expect(await stateOf(other)).toBe('waiting');
    expect((await act('msg_unknown/retry')).status).toBe(404);
  });
});
