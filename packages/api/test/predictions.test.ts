import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunningApi } from './running-api.ts';

let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start();
});
afterAll(() => api.stop());

const INPUT = { input: { x: [[1, 2]] } };

describe('create', () => {
  test('accepts a prediction and says where it is', async () => {
    const answer = await api.call('POST', '/v1/models/pair/predictions', { body: INPUT });
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({
      model: 'pair',
      version: '2',
      status: 'starting',
      output: null,
      error: null,
    });
    const location = answer.headers.get('location') ?? '';
    expect(location.startsWith(`${api.url}/v1/predictions/pair.`)).toBe(true);
    const read = await fetch(location);
    expect(await read.json()).toEqual(answer.json);
  });
});
