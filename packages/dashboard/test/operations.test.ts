import { appRoutes } from '@bull-board/api/dist/routes.js';
import type { PredictionStatus } from '@quern/contract';
import { createLogger } from '@quern/service';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type RunningDashboard, startDashboard } from '../src/index.ts';
import { type Answer, call, cookiesOf, sendSignIn } from './http-call.ts';
import { ServedModels } from './served-models.ts';

const ACCOUNT = { user: 'ops', password: 'correct horse' };

let models: ServedModels;
let dashboard: RunningDashboard;
let cookie: string;

beforeEach(async () => {
  models = await ServedModels.start();
  await models.publish('digits');
  const logger = createLogger({ name: 'dashboard', level: 'silent', pretty: false });
  const { queue } = models;
  const options = { queue, host: '127.0.0.1', port: 0, logger, credentials: ACCOUNT };
  dashboard = await startDashboard(options);
  cookie = cookiesOf(await sendSignIn(dashboard.url, ACCOUNT));
});
afterEach(async () => {
  await dashboard.close();
  await models.stop();
});

/** Calls the board's API as the signed-in operator. */
function act(path: string, method = 'PUT', body?: unknown): Promise<Answer> {
  return call(`${dashboard.url}/api/queues/digits/${path}`, {
    method,
    headers: { cookie, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

async function statusOf(id: string): Promise<PredictionStatus | undefined> {
  return (await models.queue.get(id))?.status;
}

/** Every call of the board's API that is not a GET, with its parameters filled in. */
function changes(id: string): { method: string; path: string }[] {
  return appRoutes.api
    .filter(({ method }) => method !== 'get')
    .flatMap(({ method, route }) =>
      [route].flat().map((path) => ({
        method: String(method).toUpperCase(),
        path: path
          .replace(':queueName', 'digits')
          .replace(':jobId', id)
          .replace(':queueStatus', 'wait')
          .replace(':schedulerId', 'scheduler'),
      })),
    );
}

describe('visitors', () => {
  test('can change nothing', async () => {
    const id = await models.submit('digits');
    const calls = changes(id);
    expect(calls.length).toBeGreaterThan(20);
    for (const { method, path } of calls) {
      const answer = await call(dashboard.url + path, { method });
      expect(answer.status, `${method} ${path}`).toBe(403);
      expect(answer.text).toContain('/sign-in');
    }
    expect(await statusOf(id)).toBe('starting');
    const [queue] = JSON.parse((await call(`${dashboard.url}/api/queues`)).text).queues;
    expect(queue).toMatchObject({ name: 'digits', readOnlyMode: true, isPaused: false });
  });

  test('can look at a prediction', async () => {
    const id = await models.submit('digits');
    const answer = await call(`${dashboard.url}/api/queues/digits/${id}`);
    expect(JSON.parse(answer.text).job.data).toMatchObject({ inputs: { x: 'FP32[2,3]' } });
  });
});

describe('operators', () => {
  test('retry a failed prediction', async () => {
    models.serve('digits');
    const id = await models.submit('digits', { metadata: { fail: true } });
    await models.ended(id);
    expect((await models.queue.get(id))?.metrics.attempts).toBe(1);
    expect((await act(`${id}/retry`)).status).toBe(204);
    await models.ended(id);
    expect((await models.queue.get(id))?.metrics.attempts).toBe(2);
  });

  test('retry all that failed, and leave what was canceled or expired', async () => {
    const canceled = await models.submit('digits');
    await models.queue.cancel(canceled);
    models.serve('digits');
    const failed: string[] = [];
    for (let i = 0; i < 150; i++) {
      failed.push(await models.submit('digits', { metadata: { fail: true } }));
    }
    await Promise.all(failed.map((id) => models.ended(id)));
    await act('pause');
    const answer = await act('retry/failed');
    expect(JSON.parse(answer.text)).toEqual({ retried: 150, skipped: 0 });
    expect(new Set(await Promise.all(failed.map(statusOf)))).toEqual(new Set(['starting']));
    expect(await statusOf(canceled)).toBe('canceled');
    await act('resume');
    await Promise.all(failed.map((id) => models.ended(id)));
  });

  test('do not retry what has its answer, or was canceled', async () => {
    const canceled = await models.submit('digits');
    await models.queue.cancel(canceled);
    models.serve('digits');
    const succeeded = await models.submit('digits');
    await models.ended(succeeded);
    for (const [id, status] of [
      [canceled, 'canceled'],
      [succeeded, 'succeeded'],
    ] as const) {
      const answer = await act(`${id}/retry`);
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.text).message).toContain(`is ${status}`);
      expect(await statusOf(id)).toBe(status);
    }
    expect((await act('retry/completed')).status).toBe(403);
    expect(await statusOf(succeeded)).toBe('succeeded');
  });

  test('removing one that waits cancels it, so that its client hears of it', async () => {
    const id = await models.submit('digits');
    const waiting = models.queue.wait(id, { timeoutMs: 10_000 });
    expect((await act(`${id}/clean`)).status).toBe(204);
    expect((await waiting)?.status).toBe('canceled');
  });

  test('remove one that has ended, and all of them', async () => {
    models.serve('digits');
    const ids = [await models.submit('digits'), await models.submit('digits')];
    await Promise.all(ids.map((id) => models.ended(id)));
    expect((await act(`${ids[0]}/clean`)).status).toBe(204);
    expect(await statusOf(ids[0] ?? '')).toBeUndefined();
    expect((await act('clean/completed')).status).toBe(200);
  });

  test('pause and resume a queue', async () => {
    await act('pause');
    models.serve('digits');
    const id = await models.submit('digits');
    const boardOf = async () => JSON.parse((await call(`${dashboard.url}/api/queues`)).text);
    expect((await boardOf()).queues[0].isPaused).toBe(true);
    expect(await statusOf(id)).toBe('starting');
    await act('resume');
    await models.ended(id);
    expect(await statusOf(id)).toBe('succeeded');
  });

  test.each([
    ['add', 'POST', { name: 'mine', data: { model: 'digits' }, options: {} }],
    ['empty', 'PUT', undefined],
    ['clean/wait', 'PUT', undefined],
    ['clean/prioritized', 'PUT', undefined],
    ['clean/delayed', 'PUT', undefined],
    ['clean/active', 'PUT', undefined],
    ['obliterate', 'PUT', { force: true }],
    ['concurrency', 'PUT', { concurrency: 1 }],
    ['rate-limit', 'PUT', { max: 1, duration: 60_000 }],
    ['ID/update-data', 'PATCH', { jobData: { model: 'other' } }],
    ['ID/priority', 'PATCH', { priority: 1 }],
  ])('may not %s, and are told why', async (path, method, body) => {
    await act('pause');
    const id = await models.submit('digits');
    const before = await models.queue.get(id);
    const answer = await act(path.replace('ID', id), method, body);
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.text).message.length).toBeGreaterThan(20);
    expect(await models.queue.get(id)).toEqual(before);
    expect((await models.queue.depth('digits')).waiting).toBe(1);
  });
});
