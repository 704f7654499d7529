import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, type Call, RunningApi } from './running-api.ts';

const LINES = `${Array.from({ length: 2000 }, (_, i) => `{"custom_id":"${i}","text":"Zeile ä"}`).join('\n')}\n`;

let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start({ bulkLimits: { maxFileBytes: 200_000 } });
});
afterAll(() => api.stop());

type Field = readonly [name: string, value: string | Blob];

function upload(fields: readonly Field[], call: Call = {}): Promise<Answer> {
  const body = new FormData();
  for (const [name, value] of fields) {
    if (typeof value === 'string') body.append(name, value);
    else body.append(name, value, 'in.jsonl');
  }
  return api.call('POST', '/v1/files', { ...call, body });
}

const file: Field = ['file', new Blob([LINES])];
const purpose: Field = ['purpose', 'batch'];

test('gives back what was uploaded, whole and in ranges', async () => {
  const uploaded = await upload([purpose, file]);
  expect(uploaded.json).toMatchObject({
    object: 'file',
    bytes: Buffer.byteLength(LINES),
    filename: 'in.jsonl',
    purpose: 'batch',
  });
  const { id } = uploaded.json as { id: string };
  const path = `/v1/files/${id}`;
  expect((await api.call('GET', path)).json).toEqual(uploaded.json);
  const whole = await api.call('GET', `${path}/content`);
  expect(whole.text).toBe(LINES);
  const range = { headers: { range: 'bytes=100-199' } };
  const part = await api.call('GET', `${path}/content`, range);
  expect(part.status).toBe(206);
  expect(part.text).toBe(Buffer.from(LINES).subarray(100, 200).toString());
  expect(part.headers.get('content-range')).toBe(`bytes 100-199/${Buffer.byteLength(LINES)}`);
  const beyond = await api.call('GET', `${path}/content`, { headers: { range: 'bytes=999999-' } });
  expect(beyond.status).toBe(416);
  expect((await api.call('DELETE', path)).json).toEqual({ id, object: 'file', deleted: true });
  expect((await api.call('GET', path)).status).toBe(404);
  expect((await api.call('GET', `${path}/content`)).status).toBe(404);
  expect((await api.call('DELETE', path)).status).toBe(404);
});

test('takes the purpose also behind the file', async () => {
  expect((await upload([file, purpose])).status).toBe(200);
});

test('lists files page by page, newest first', async () => {
  const ids: unknown[] = [];
  for (let i = 0; i < 3; i += 1) {
    const { json } = await upload([purpose, file]);
    ids.unshift((json as { id: string }).id);
  }
  const first = await api.call('GET', '/v1/files?limit=2');
  const page = first.json as { data: { id: string }[]; last_id: string };
  expect(first.json).toMatchObject({ object: 'list', has_more: true });
  const next = await api.call('GET', `/v1/files?limit=1&after=${page.last_id}`);
  const listed = [...page.data, ...(next.json as typeof page).data].map(({ id }) => id);
  expect(listed).toEqual(ids);
  expect((await api.call('GET', '/v1/files?after=file-nowhere')).status).toBe(400);
  expect((await api.call('GET', '/v1/files?limit=0')).status).toBe(400);
});

test.for<[what: string, status: number, fields: readonly Field[]]>([
  ['no purpose', 400, [file]],
  ['another purpose', 400, [['purpose', 'fine-tune'], file]],
  ['no file', 400, [purpose]],
  ['two files', 400, [purpose, file, file]],
  ['a file in another field', 400, [purpose, ['document', new Blob([LINES])]]],
  ['too large a file', 413, [purpose, ['file', new Blob([LINES.repeat(4)])]]],
  ['an end that is too far away', 400, [purpose, ['expires_after[seconds]', '99999999'], file]],
])('refuses a form with %s', async ([, status, fields]) => {
  expect((await upload(fields)).status).toBe(status);
});

test('refuses what is no form, or only the beginning of one', async () => {
  expect((await api.call('POST', '/v1/files', { body: {} })).status).toBe(415);
  const headers = { 'content-type': 'multipart/form-data; boundary=b' };
  const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nbytes';
  for (const body of ['', 'no part', head]) {
    expect((await api.call('POST', '/v1/files', { body, headers })).status).toBe(400);
  }
});

test("refuses a form that another site's page sends", async () => {
  const call = { headers: { origin: 'https://evil.example.com' } };
  expect((await upload([purpose, file], call)).status).toBe(403);
  expect((await upload([purpose, file], { headers: { origin: api.url } })).status).toBe(200);
});
