import { createLogger } from '@quern/service';
import { eventually } from '@quern/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningDashboard, startDashboard } from '../src/index.ts';
import { call } from './http-call.ts';
import { ServedModels } from './served-models.ts';

let models: ServedModels;
let dashboard: RunningDashboard;

beforeAll(async () => {
  models = await ServedModels.start();
  await models.publish('digits');
  const logger = createLogger({ name: 'dashboard', level: 'silent', pretty: false });
  dashboard = await startDashboard({ queue: models.queue, host: '127.0.0.1', port: 0, logger });
});
afterAll(async () => {
  await dashboard.close();
  await models.stop();
});

test('an outage of Redis is said, survived, and over when it is over', async () => {
  const get = (path: string) => call(dashboard.url + path);
  expect((await get('/health/ready')).status).toBe(200);
  await models.redis.kill();
  await eventually(async () => (await get('/health/ready')).status === 503);
  expect((await get('/health/live')).status).toBe(200);
  const answer = await get('/api/queues');
  expect(answer.status).toBe(503);
  expect(JSON.parse(answer.text).error.code).toBe('REDIS_UNAVAILABLE');
  expect((await get('/')).status).toBe(200);
  await models.redis.start();
  await eventually(async () => (await get('/health/ready')).status === 200);
  // The server forgot everything, the board follows.
  await eventually(async () => !(await get('/api/queues')).text.includes('"name":"digits"'));
  await models.publish('other');
  await eventually(async () => (await get('/api/queues')).text.includes('"name":"other"'));
});
