import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatProblem, loadRepository, toRunnerModel } from '../src/index.ts';
import { temporaryDir } from './harness/runners.ts';

/** Writes files, by path, and gives the folder. */
function repository(files: Record<string, string>): string {
  const dir = temporaryDir();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return dir;
}

async function problemsOf(files: Record<string, string>): Promise<string[]> {
  const dir = repository(files);
  const { problems } = await loadRepository(dir);
  return problems.map((problem) => formatProblem(problem).replace(`${dir}/`, ''));
}

function problemsOfYaml(yaml: string): Promise<string[]> {
  return problemsOf({ 'm/1/model.onnx': '', 'm/model.yaml': yaml });
}

describe('a models folder', () => {
  test('gives a bare ONNX file every default', async () => {
    const dir = repository({ 'digits/1/model.onnx': '' });
    const { models, problems } = await loadRepository(dir);
    expect(problems).toEqual([]);
    expect(models).toEqual([
      {
        name: 'digits',
        dir: join(dir, 'digits'),
        versions: [{ version: 1, modelPath: join(dir, 'digits/1/model.onnx') }],
        config: {
          versions: { latest: 1 },
          batching: {
            mode: 'auto',
            maxBatchSize: 32,
            maxQueueDelayMs: 0,
            maxRowsPerPrediction: null,
            maxBatchElements: null,
          },
          queue: {
            maxSize: 10_000,
            timeoutMs: null,
            attempts: 3,
            quarantineSeconds: 600,
            retention: {
              succeeded: { ageSeconds: 86_400, count: 10_000 },
              failed: { ageSeconds: 604_800, count: 10_000 },
            },
          },
          instances: {
            count: 1,
            threads: 1,
            measureBudgetMs: 10_000,
            weight: 1,
            device: 'auto',
            recycle: { maxMemoryGrowthMb: 'auto', maxAgeMinutes: 'off' },
          },
          executionProviders: ['cpu'],
          runTimeoutMs: 30_000,
          warmup: { enabled: true, budgetMs: 2000 },
          inputs: {},
          outputs: {},
          preprocess: [],
          postprocess: [],
        },
        configPositions: {},
      },
    ]);
  });

  test('takes what model.yaml says and keeps the other defaults', async () => {
    const dir = repository({
      'm/1/model.onnx': '',
      'm/model.yaml': [
        'description: Reads minds.',
        'batching: {maxBatchSize: 8}',
        'queue: {retention: {failed: {count: 5}}}',
        'instances: {count: 2, threads: 4}',
        'executionProviders: [cuda, cpu]',
        'warmup: {shapes: {x: [1, 3, 64, 64]}}',
        'inputs: {x: {allowNonFinite: true}}',
      ].join('\n'),
    });
    const { models } = await loadRepository(dir);
    const [model] = models;
    expect(model?.config).toMatchObject({
      description: 'Reads minds.',
      batching: { mode: 'auto', maxBatchSize: 8 },
      queue: { attempts: 3, retention: { failed: { ageSeconds: 604_800, count: 5 } } },
    });
    const [version] = model?.versions ?? [];
    if (model === undefined || version === undefined) throw new Error('no model');
    expect(toRunnerModel(model, version)).toMatchObject({
      name: 'm',
      version: 1,
      executionProviders: ['cuda', 'cpu'],
      threads: 4,
      maxBatchSize: 8,
      warmup: { shapes: { x: [1, 3, 64, 64] } },
      inputs: { x: { allowNonFinite: true } },
    });
  });

  test.each([
    ['auto', { count: 'auto', threads: 'auto' }],
    ['{count: auto, threads: 2}', { count: 'auto', threads: 2 }],
    ['{threads: auto}', { count: 1, threads: 'auto' }],
  ])('leaves to the machine what instances: %s says', async (yaml, expected) => {
    const dir = repository({ 'm/1/model.onnx': '', 'm/model.yaml': `instances: ${yaml}` });
    const { models, problems } = await loadRepository(dir);
    expect(problems).toEqual([]);
    expect(models[0]?.config.instances).toMatchObject(expected);
  });

  test.each([
    ['{latest: 2}', [3, 10]],
    ['{latest: 9}', [1, 3, 10]],
    ['{specific: [3, 1, 3]}', [1, 3]],
    ['all', [1, 3, 10]],
  ])('serves the versions of %s, in numeric order', async (policy, expected) => {
    const dir = repository({
      'm/model.yaml': `versions: ${policy}`,
      'm/1/model.onnx': '',
      'm/3/model.onnx': '',
      'm/10/model.onnx': '',
    });
    const { models, problems } = await loadRepository(dir);
    expect(problems).toEqual([]);
    expect(models[0]?.versions.map(({ version }) => version)).toEqual(expected);
  });

  test('reads labels line by line, empty ones inside included', async () => {
    const dir = repository({ 'm/1/model.onnx': '', 'm/labels.txt': 'cat\r\n\r\ndog\r\n' });
    const { models } = await loadRepository(dir);
    expect(models[0]?.labels).toEqual(['cat', '', 'dog']);
  });

  test('leaves other files and folders alone', async () => {
    const dir = repository({
      'README.md': '',
      '.git/config': '',
      'm/1/model.onnx': '',
      'm/1/notes.txt': '',
      'm/LICENSE': '',
      'm/samples/one.json': '',
      'm/source/train.py': '',
      'm/01/model.onnx': '',
    });
    const { models, problems } = await loadRepository(dir);
    expect(problems).toEqual([]);
    expect(models.map(({ name, versions }) => [name, versions.length])).toEqual([['m', 1]]);
  });

  test('still serves the sound models beside a broken one', async () => {
    const dir = repository({
      'broken/1/model.onnx': '',
      'broken/model.yaml': 'batching: 7',
      'empty/README.md': '',
      'my model/1/model.onnx': '',
      'sound/1/model.onnx': '',
    });
    const { models, problems } = await loadRepository(dir);
    expect(models.map(({ name }) => name)).toEqual(['sound']);
    expect(problems.map(({ model }) => model)).toEqual(['broken', 'empty', 'my model']);
  });

  test('serves the versions that are there when one has no file', async () => {
    const dir = repository({
      'm/model.yaml': 'versions: all',
      'm/1/model.onnx': '',
      'm/2/model.onnx.part': '',
    });
    const { models, problems } = await loadRepository(dir);
    expect(models[0]?.versions.map(({ version }) => version)).toEqual([1]);
    expect(problems).toMatchObject([{ file: join(dir, 'm/2/model.onnx') }]);
  });

  test('that is not there is named', async () => {
    await expect(loadRepository('/no/such/models')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('/no/such/models cannot be read (ENOENT)'),
    });
  });
});

describe('a problem names file, line, column, key and remedy', () => {
  test('a mistyped key', async () => {
    const yaml = 'description: x\nbatching:\n  mode: auto\n  maxBatchsize: 8\n';
    expect(await problemsOfYaml(yaml)).toEqual([
      'm/model.yaml:4:3: batching.maxBatchsize: unknown key; did you mean maxBatchSize?',
    ]);
  });

  test('a key that is like none', async () => {
    const problems = await problemsOfYaml('instances: {gpus: 2}');
    expect(problems).toEqual([
      'm/model.yaml:1:13: instances.gpus: unknown key; expected one of count, threads, measureBudgetMs, device, weight, recycle',
    ]);
  });

  test('a mistyped key under the name of an input', async () => {
    expect(await problemsOfYaml('inputs:\n  x:\n    allowNonfinite: true\n')).toEqual([
      'm/model.yaml:3:5: inputs.x.allowNonfinite: unknown key; did you mean allowNonFinite?',
    ]);
  });

  test.each([
    [
      'batching:\n  maxBatchSize: many\n',
      'm/model.yaml:2:3: batching.maxBatchSize: expected number',
    ],
    ['batching:\n  mode: always\n', 'm/model.yaml:2:3: batching.mode: '],
    ['runTimeoutMs: 0\n', 'm/model.yaml:1:1: runTimeoutMs: '],
    ['versions: newest\n', 'm/model.yaml:1:1: versions: expected all, {latest: 2}'],
    ['executionProviders:\n  - cpu\n  - tpu\n', 'm/model.yaml:3:5: executionProviders.1: '],
    ['warmup:\n  shapes:\n    x: [1, -1]\n', 'm/model.yaml:3:12: warmup.shapes.x.1: '],
    ['a: 1\n b: 2\n', 'm/model.yaml:1:4: not valid YAML'],
    ['description: a\ndescription: b\n', 'm/model.yaml:2:1: not valid YAML'],
    ['- a\n', 'm/model.yaml:1:1: '],
  ])('%j', async (yaml, start) => {
    const problems = await problemsOfYaml(yaml);
    expect(problems[0]).toContain(start);
  });

  test('every problem of a file is told at once', async () => {
    expect(await problemsOfYaml('descripton: x\nrunTimeoutMs: soon\n')).toHaveLength(2);
  });

  test('a version that is asked for and not there', async () => {
    const files = { 'm/1/model.onnx': '', 'm/model.yaml': 'versions: {specific: [1, 4]}' };
    expect(await problemsOf(files)).toEqual([
      'm/4/model.onnx: missing: versions {"specific":[1,4]} asks for 4, the folder has 1',
    ]);
  });

  test('a model without versions', async () => {
    expect(await problemsOf({ 'm/model.onnx': '' })).toEqual([
      'm/1/model.onnx: missing: the model has no version',
    ]);
  });

  test('an empty or commented-out file is no problem', async () => {
    expect(await problemsOfYaml('')).toEqual([]);
    expect(await problemsOfYaml('# batching:\n')).toEqual([]);
  });
});
