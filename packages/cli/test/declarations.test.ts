import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runInProcess } from './run-in-process.ts';
import { StandInApi, wireModel } from './stand-in-api.ts';
import { TemporaryFolder } from './temporary-folder.ts';

const inRepository = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

const version = (fields: object) => ({
  version: '1',
  state: 'ready',
  inputs: [],
  outputs: [],
  max_rows: null,
  execution_providers: ['cpu'],
  instances: 1,
  ...fields,
});

const ODD = wireModel({
  name: '2-odd.names',
  description: 'ends */ a comment\nand goes on',
  versions: [
    version({
      version: '3',
      inputs: [{ name: 'x.1:0', datatype: 'INT64', shape: [-1] }],
      outputs: [{ name: 'text', datatype: 'BYTES', shape: [] }],
      labels: ['a "quoted" one'],
    }),
  ],
});
const FIELDS = wireModel({
  name: 'fields',
  versions: [
    version({
      inputs: [
        {
          name: 'photo',
          datatype: 'BYTES',
          shape: [-1],
          field: { kind: 'image', description: 'one */ face' },
        },
        { name: 'who', datatype: 'BYTES', shape: [-1], field: { kind: 'record' } },
        { name: 'mask', datatype: 'FP32', shape: [-1, -1], mask_of: 'photo' },
      ],
      outputs: [{ name: 'score', datatype: 'FP32', shape: [-1] }],
    }),
  ],
});
const UNREAD = wireModel({
  name: 'unread',
  versions: [version({ state: 'unhealthy', reason: 'no ONNX', inputs: null, outputs: null })],
});

function api(): Promise<StandInApi> {
  const models = [wireModel(), ODD, FIELDS, UNREAD];
  return StandInApi.start(({ url }) => {
    if (url === '/v1/models') return { status: 200, body: { results: models } };
    const name = decodeURIComponent(url.split('/').at(-1) ?? '');
    return { status: 200, body: models.find((model) => model['name'] === name) };
  });
}

/** Lines that compile, and lines below `@ts-expect-error` that must not. */
const USE = `
import { QuernClient, tensor } from '@quern/client';
import type { Digits, QuernModels } from './quern-models.d.ts';
const client = new QuernClient<QuernModels>({ url: 'http://127.0.0.1:1' });
const label: Digits['labels'][number] = 'two';
const plain = await client.predict('digits', { image: [[[[0, 1]]]] });
const row: readonly number[] | undefined = plain.probabilities[0];
const tensors = await client.predict('digits', { image: tensor([2, 1, 8, 8], new Float32Array(128)) });
const numbers: Float32Array = tensors.probabilities.data;
const odd = await client.predict('2-odd.names', { 'x.1:0': [1n, 2] });
const text: string = odd.text;
await client.predict('2-odd.names', { 'x.1:0': new BigInt64Array(2) });
for await (const result of client.predictMany('digits', [{ image: [[[[0]]]] }])) {
  if (result.ok) result.output.probabilities[0]?.at(0)?.toFixed();
}
const photo = 'data:image/png;base64,AAAA';
const scores: readonly number[] = (
  await client.predict('fields', { photo, who: { age: 40, languages: ['de'] } })
).score;
await client.predict('fields', { photo: [photo, photo], who: [{ age: 40 }, {}], mask: [[1], [0]] });
// @ts-expect-error a picture is given as text
await client.predict('fields', { photo: 7, who: {} });
// @ts-expect-error a record is no text
await client.predict('fields', { photo, who: 'me' });
// @ts-expect-error no such label
const wrongLabel: Digits['labels'][number] = 'ten';
// @ts-expect-error no such model
await client.predict('digit', { image: [[[[0]]]] });
// @ts-expect-error no such input
await client.predict('digits', { image: [[[[0]]]], extra: 1 });
// @ts-expect-error missing input
await client.predict('digits', {});
// @ts-expect-error one dimension too few
await client.predict('digits', { image: [[[0]]] });
// @ts-expect-error texts for numbers
await client.predict('digits', { image: [[[['0']]]] });
// @ts-expect-error another datatype
await client.predict('digits', { image: tensor([1, 1, 8, 8], new Float64Array(64)) });
// @ts-expect-error another shape
await client.predict('digits', { image: tensor([1, 8, 8], new Float32Array(64)) });
// @ts-expect-error no such output
plain.probability;
export { label, numbers, row, scores, text, wrongLabel };
`;

const TSCONFIG = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    lib: ['es2023', 'dom', 'dom.iterable'],
    // The packages' sources are compiled along, and they are Node's.
    types: ['node'],
    typeRoots: [inRepository('node_modules/@types')],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    customConditions: ['@quern/source'],
  },
  include: ['*.ts'],
};

function compile(folder: TemporaryFolder): Promise<string> {
  const tsc = inRepository('node_modules/typescript/bin/tsc');
  return new Promise((resolve) => {
    execFile(process.execPath, [tsc, '-p', folder.path], (_error, stdout) => resolve(stdout));
  });
}

describe('quern types', () => {
  it('writes types by which the compiler checks predictions', { timeout: 30_000 }, async () => {
    await using server = await api();
    await using folder = await TemporaryFolder.make();
    const out = folder.join('quern-models.d.ts');
    const run = await runInProcess(['types', '--out', out, '--url', server.url]);
    expect(run).toMatchObject({ code: 0, stdout: '' });
    expect(run.stderr).toContain('digits, 2-odd.names, fields');
    await mkdir(folder.join('node_modules', '@quern'), { recursive: true });
    await symlink(inRepository('packages/client'), folder.join('node_modules/@quern/client'));
    await writeFile(folder.join('package.json'), '{"type":"module"}');
    await writeFile(folder.join('tsconfig.json'), JSON.stringify(TSCONFIG));
    await writeFile(folder.join('use.ts'), USE);
    expect(await compile(folder)).toBe('');
  });

  it('prints the types of the models named', async () => {
    await using server = await api();
    const run = await runInProcess(['types', '2-odd.names:3', '--url', server.url]);
    expect(
      run.stdout,
    ).toBe(`// Written by \`quern types\` from what the API says of its models; write it again, do not edit it.
import type { Tensor } from '@quern/client';

/** 2-odd.names, version 3: ends * / a comment and goes on */
export interface Model2OddNames {
  readonly inputs: {
    /** INT64 [?] */
    readonly "x.1:0": Tensor<'INT64', readonly [number]>;
  };
  readonly outputs: {
    /** BYTES [] */
    readonly text: Tensor<'BYTES', readonly []>;
  };
  readonly labels: readonly ["a \\"quoted\\" one"];
}

/** Models by name, for \`new QuernClient<QuernModels>({ url })\`. */
export interface QuernModels {
  readonly "2-odd.names": Model2OddNames;
}
`);
  });

  it('says what is to be given for fields, and what may be left out', async () => {
    await using server = await api();
    const { stdout } = await runInProcess(['types', 'fields', '--url', server.url]);
    expect(stdout).toContain("import type { PlainValue, Tensor } from '@quern/client';");
    expect(stdout).toContain(`
    /** For one row a picture file as data URL, base64 or URL, for several an array of them: one * / face */
    readonly photo: string | readonly string[];`);
    expect(stdout).toContain('readonly mask?: Tensor<');
  });

  it.each([
    ['unread', /not known: no ONNX/],
    ['digits:7', /no version 7, expected one of 1/],
  ])('says why it has none of %s', async (name, message) => {
    await using server = await api();
    const run = await runInProcess(['types', name, '--url', server.url]);
    expect(String(run.error)).toMatch(message);
    expect(run.stdout).toBe('');
  });
});
