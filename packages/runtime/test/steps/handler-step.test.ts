import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeBytesElements, QuernError } from '@quern/contract';
import { describe, expect, test } from 'vitest';
import { loadPostprocessStep, loadPreprocessStep } from '../../src/steps/step-registry.ts';
import { entry, floats, launch, outputsOf, temporaryDir } from '../harness/runners.ts';
import { field, steppedModel } from '../harness/steps.ts';

const BOTH = `
preprocess: [{handler: {module: ./handler.mjs, settings: {factor: 10}}}]
postprocess: [{handler: handler.mjs}]
`;

/** Numbers in texts go through a model that gives back what it takes. */
const HANDLER = `
export function load({ settings, sessionInputs, labels }) {
  return { factor: settings.factor, input: sessionInputs[0].name, labels };
}
export const preprocess = {
  fields: { text: 'text', extra: 'record' },
  inputs: ['x'],
  async run({ text, extra }, { factor }) {
    const rows = text.map((line, row) => {
      if (line === 'throw') throw new Error('no thanks');
      if (line === 'hang') for (;;);
      const numbers = line.split(' ').map(Number);
      return numbers.map((n) => n * factor + (extra[row].plus ?? 0));
    });
    if (rows[0][0] === 660) return { x: { shape: [rows.length, 4], data: Float64Array.from(rows.flat()) } };
    if (rows[0][0] === 770) return { y: { shape: [1], data: Float32Array.of(1) } };
    if (rows[0][0] === 880) return { x: { shape: [1, 9], data: Float32Array.of(1) } };
    return { x: { shape: [rows.length, rows[0].length], data: Float32Array.from(rows.flat()) } };
  },
};
export const postprocess = {
  outputs: { sum: { datatype: 'FP32', shape: [-1] }, said: { datatype: 'BYTES', shape: [-1] } },
  run(outputs, { input }) {
    const { shape: [rows, width], data } = Object.values(outputs)[0];
    const sums = Array.from({ length: rows }, (_, row) =>
      data.subarray(row * width, (row + 1) * width).reduce((a, b) => a + b, 0));
    return {
      sum: { shape: [rows], data: Float32Array.from(sums) },
      said: { shape: [rows], data: sums.map((sum) => input + '=' + sum) },
    };
  },
};
`;

async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(temporaryDir(), 'model');
  await mkdir(folder);
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

const inputs = (texts: readonly string[], extra: unknown = {}) => [
  field('text', texts),
  field(
    'extra',
    texts.map(() => JSON.stringify(extra)),
  ),
];

const strings = (data: Uint8Array | undefined) => decodeBytesElements(data ?? new Uint8Array());

describe("a model's own module", () => {
  test('makes inputs and outputs, and what it throws is the error of its entry alone', async () => {
    const modelFolder = await folderWith({ 'handler.mjs': HANDLER });
    const { runner } = launch(steppedModel('identity-fp32', BOTH, { modelFolder }));
    const { signature } = await runner.ready;
    expect(signature.inputs).toMatchObject([
      { name: 'text', field: { kind: 'text' } },
      { name: 'extra', field: { kind: 'record' } },
    ]);
    expect(signature.outputs.map(({ name }) => name)).toEqual(['sum', 'said']);
    const result = await runner.run({
      batchId: 'b',
      entries: [
        entry('good', 2, inputs(['1 2 3 4', '5 6 7 8'], { plus: 1 })),
        entry('throws', 1, inputs(['throw'])),
        entry('array', 1, inputs(['66 0 0 0'])),
        entry('nothing', 1, inputs(['77 0 0 0'])),
        entry('shape', 1, inputs(['88 0 0 0'])),
      ],
    });
    const [sum, said] = outputsOf(result, 0);
    expect(floats(sum)).toEqual([104, 264]);
    expect(strings(said?.data)).toEqual(['x=104', 'x=264']);
    const messages = result.outcomes.slice(1).map((outcome) => 'error' in outcome && outcome.error);
    expect(messages).toMatchObject([
      { code: 'PREPROCESS_FAILED', message: expect.stringMatching(/step handler.*no thanks/) },
      {
        message: expect.stringMatching(/x\.data: got Float64Array, expected Float32Array for FP32/),
      },
      { message: expect.stringMatching(/x: got nothing|x: got undefined/) },
      { code: 'PREPROCESS_FAILED', message: expect.stringContaining('x') },
    ]);
  });

  test('that hangs is ended with its runner by the run timeout', async () => {
    const modelFolder = await folderWith({ 'handler.mjs': HANDLER });
    const model = steppedModel('identity-fp32', BOTH, { modelFolder, runTimeoutMs: 500 });
    const { runner } = launch(model);
    await runner.ready;
    const run = runner.run({ batchId: 'b', entries: [entry('e', 1, inputs(['hang']))] });
    await expect(run).rejects.toMatchObject({ code: 'RUN_TIMEOUT' });
  });

  test.each([
    ['preprocess', 'no.mjs', /no\.mjs does not exist/],
    ['preprocess', '../outside.mjs', /outside of the model's folder/],
    ['preprocess', 'link.mjs', /outside of the model's folder/],
    ['preprocess', 'broken.mjs', /broken\.mjs cannot be used.*oh no/],
    ['preprocess', 'empty.mjs', /exports nothing, expected preprocess/],
    ['preprocess', 'kindless.mjs', /preprocess\.fields\.a: got the string "smell"/],
    ['postprocess', 'shapeless.mjs', /postprocess\.outputs\.a.*expected a datatype/],
  ] as const)('%s with %s is refused at the load', async (hook, module, message) => {
    const modelFolder = await folderWith({
      '../outside.mjs': HANDLER,
      'broken.mjs': 'throw new Error("oh no")',
      'empty.mjs': '',
      'kindless.mjs':
        'export const preprocess = { fields: { a: "smell" }, inputs: ["x"], run() {} }',
      'shapeless.mjs':
        'export const postprocess = { outputs: { a: { datatype: "FP32" } }, run() {} }',
    });
    await symlink(join(modelFolder, '../outside.mjs'), join(modelFolder, 'link.mjs'));
    const context = {
      modelFolder,
      sessionInputs: [{ name: 'x', datatype: 'FP32' as const, shape: [-1, -1] }],
      outputs: [],
      labels: undefined,
      problem: (key: string, text: string) => new QuernError('CONFIG_INVALID', `${key}: ${text}`),
    };
    const load = hook === 'preprocess' ? loadPreprocessStep : loadPostprocessStep;
    const loading = load({ handler: { module, settings: {} } }, context);
    await expect(loading).rejects.toThrow(message);
  });
});
