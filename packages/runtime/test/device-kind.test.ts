import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deviceKind, modelFingerprint } from '../src/index.ts';

describe('the kind of a device', () => {
  test.each([
    ['AMD EPYC 7B13 64-Core Processor', 'cpu', 'amd-epyc-7b13.2t'],
    ['Intel(R) Xeon(R) CPU @ 2.80GHz', 'cpu', 'intel-xeon.2t'],
    ['arm64', 'cpu', 'arm64.2t'],
    ['arm64', 'cuda', 'gpu-of-arm64'],
  ] as const)('%s, %s: %s', (cpu, provider, expected) => {
    expect(deviceKind(provider, 2, { cpu, gpus: [] })).toBe(expected);
  });

  test('is the name of the GPU, however many there are', () => {
    const gpus = ['NVIDIA H100 80GB HBM3', 'NVIDIA H100 80GB HBM3'];
    expect(deviceKind('cuda', 1, { cpu: 'x', gpus })).toBe('nvidia-h100-80gb-hbm3');
  });

  test('is known of this host, and fits into a key', () => {
    expect(deviceKind('cpu', 1)).toMatch(/^[a-z0-9-]+\.1t$/);
    expect(deviceKind('webgpu', 1)).toMatch(/^[a-z0-9+-]+$/);
  });
});

describe('the fingerprint of a version', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'quern-fingerprint-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  const fingerprint = () => modelFingerprint({ version: 1, modelPath: join(dir, 'model.onnx') });

  test('changes with a byte of the file and with the size of a file beside it', async () => {
    const seen = new Set<string>();
    for (const text of ['model', 'models', 'modem', 'model']) {
      await writeFile(join(dir, 'model.onnx'), text);
      seen.add(await fingerprint());
    }
    expect(seen.size).toBe(3);
    await writeFile(join(dir, 'weights.bin'), '12');
    seen.add(await fingerprint());
    await writeFile(join(dir, 'weights.bin'), '123');
    seen.add(await fingerprint());
    expect(seen.size).toBe(5);
  });

  test('is found of a large file without reading all of it', async () => {
    const file = join(dir, 'model.onnx');
    await writeFile(file, 'graph');
    await truncate(file, 8 * 1024 ** 3);
    const before = await fingerprint();
    await truncate(file, 8 * 1024 ** 3 + 1);
    expect(await fingerprint()).not.toBe(before);
  });
});
