import { existsSync } from 'node:fs';
import { encodeTensors } from '@quern/contract';
import { describe, expect, test } from 'vitest';
import { fixtureModel, floats, fp32, launch, outputsOf } from './harness/runners.ts';

/** Debian's chromium brings a Vulkan loader and SwiftShader, a Vulkan driver that runs on the CPU. */
const VULKAN_DIR = '/usr/lib/chromium';
const DRIVER = `${VULKAN_DIR}/vk_swiftshader_icd.json`;
const missing = [DRIVER, `${VULKAN_DIR}/libvulkan.so.1`].filter((file) => !existsSync(file));

if (missing.length > 0) {
  console.warn(
    `webgpu is not tested: ${missing.join(' and ')} not found (Debian package chromium)`,
  );
}

const environment = { VK_ICD_FILENAMES: DRIVER, LD_LIBRARY_PATH: VULKAN_DIR };

describe.skipIf(missing.length > 0)('the webgpu execution provider', () => {
  test('answers as the cpu does, in batches too', async () => {
    const onGpu = launch(fixtureModel('conv', { executionProviders: ['webgpu'] }), {
      env: environment,
    });
    const onCpu = launch(fixtureModel('conv'));
    expect(await onGpu.runner.ready).toMatchObject({
      executionProvider: 'webgpu',
      fallbacks: [],
      warnings: [],
      signature: { batchable: true },
    });
    await onCpu.runner.ready;
    const entries = [1, 2, 3].map((rows) => {
      const image = Array.from({ length: rows * 192 }, (_, i) => Math.sin(i * rows));
      const input = { inline: encodeTensors([fp32('x', [rows, 3, 8, 8], image)]) };
      return { id: `${rows}`, rows, input, resultKey: `${rows}` };
    });
    const [gpu, cpu] = await Promise.all([
      onGpu.runner.run({ batchId: 'gpu', entries }),
      onCpu.runner.run({ batchId: 'cpu', entries }),
    ]);
    for (const [index, { rows }] of entries.entries()) {
      const [found] = outputsOf(gpu, index);
      const [expected] = outputsOf(cpu, index);
      expect(found?.shape).toEqual([rows, 5]);
      const values = floats(found);
      for (const [position, value] of floats(expected).entries()) {
        expect(values[position]).toBeCloseTo(value, 4);
      }
    }
    await onGpu.runner.close();
    expect(await onGpu.runner.exited).toMatchObject({ code: 0 });
  });
});

test('without a device, webgpu gives way to the cpu and says so', async () => {
  // No driver at this path: as on a machine without a GPU.
  const env = { VK_ICD_FILENAMES: '/nonexistent.json', VK_DRIVER_FILES: '/nonexistent.json' };
  const model = fixtureModel('conv', { executionProviders: ['webgpu', 'cpu'] });
  const { runner } = launch(model, { env });
  expect(await runner.ready).toMatchObject({
    executionProvider: 'cpu',
    fallbacks: [{ provider: 'webgpu', reason: expect.stringContaining('WebGPU adapter') }],
    warnings: [expect.stringContaining('webgpu does not work here, cpu is used')],
  });
});
