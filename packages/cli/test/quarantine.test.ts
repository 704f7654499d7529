import { describe, expect, it } from 'vitest';
import { runInProcess } from './run-in-process.ts';
import { StandInApi } from './stand-in-api.ts';

const input = {
  fingerprint: '0b1e55ed',
  version: '1',
  reason: 'signal SIGSEGV',
  since: '2026-11-23T10:00:00.000Z',
  until: '2026-11-23T10:10:00.000Z',
};

describe('quern quarantine', () => {
  it('lists what is refused, since when, until when and why', async () => {
    const body = { results: [input] };
    await using api = await StandInApi.start(() => ({ status: 200, body }));
    const run = await runInProcess(['quarantine', 'list', 'digits', '--url', api.url]);
    expect(api.calls).toEqual(['GET /v1/models/digits/quarantine']);
    for (const text of Object.values(input)) expect(run.stdout).toContain(text);
    const asJson = await runInProcess(['quarantine', 'list', 'digits', '--json', '--url', api.url]);
    expect(JSON.parse(asJson.stdout)).toEqual(body);
  });

  it('says so if nothing is', async () => {
    await using api = await StandInApi.start(() => ({ status: 200, body: { results: [] } }));
    const run = await runInProcess(['quarantine', 'list', 'digits', '--url', api.url]);
    expect(run.stdout).toBe('No input is in quarantine.\n');
  });

  it('lifts one, or all of a model', async () => {
    await using api = await StandInApi.start(() => ({ status: 200, body: { lifted: 1 } }));
    const lift = ['quarantine', 'lift', '--url', api.url];
    expect(await runInProcess([...lift, 'digits', 'abc'])).toMatchObject({ code: 0 });
    expect(await runInProcess([...lift, 'digits'])).toMatchObject({ stdout: '1 lifted.\n' });
    expect(api.requests.map(({ body }) => body)).toEqual([{ fingerprint: 'abc' }, {}]);
  });

  it('fails if the fingerprint is not in quarantine', async () => {
    await using api = await StandInApi.start(() => ({ status: 200, body: { lifted: 0 } }));
    const run = await runInProcess(['quarantine', 'lift', 'digits', 'abc', '--url', api.url]);
    expect(run).toMatchObject({ code: 1, stdout: '0 lifted.\n' });
  });
});
