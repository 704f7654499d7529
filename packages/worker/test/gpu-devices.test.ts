import { readSettings } from '@quern/service';
import { describe, expect, test } from 'vitest';
import { type GpuLookup, visibleGpus } from '../src/gpu-devices.ts';
import { workerSettings } from '../src/settings.ts';

const TWO = `GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaa)
  MIG 1g.10gb     Device  0: (UUID: MIG-1111)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-bbbb)
`;

function gpus(lookup: Partial<GpuLookup> = {}) {
  return visibleGpus({
    setting: 'auto',
    cudaVisibleDevices: undefined,
    hostname: 'box',
    list: async () => '',
    ...lookup,
  });
}

describe('the devices of a worker', () => {
  test('are those that the driver lists, by their UUIDs', async () => {
    expect(await gpus({ list: async () => TWO })).toEqual([
      { deviceId: 0, identity: 'GPU-aaaa' },
      { deviceId: 1, identity: 'GPU-bbbb' },
    ]);
    expect(await gpus()).toEqual([]);
  });

  test('are numbered as CUDA_VISIBLE_DEVICES has them, and keep their names', async () => {
    const list = async () => TWO;
    expect(await gpus({ list, cudaVisibleDevices: '1,0' })).toEqual([
      { deviceId: 0, identity: 'GPU-bbbb' },
      { deviceId: 1, identity: 'GPU-aaaa' },
    ]);
    expect(await gpus({ cudaVisibleDevices: '3, GPU-cccc,-1,2' })).toEqual([
      { deviceId: 0, identity: 'box/3' },
      { deviceId: 1, identity: 'GPU-cccc' },
    ]);
    expect(await gpus({ list, cudaVisibleDevices: '' })).toEqual([]);
    expect(await gpus({ list, cudaVisibleDevices: '-1' })).toEqual([]);
  });

  test('can be named by QUERN_GPUS', async () => {
    const read = (value: string) => readSettings(workerSettings, { QUERN_GPUS: value }).gpus;
    expect(read('')).toBe('auto');
    expect(read('1, 0,1')).toEqual([1, 0]);
    expect(() => read('GPU-aaaa')).toThrow('QUERN_GPUS: got "GPU-aaaa", expected auto, none or');
    expect(await gpus({ setting: read('none'), list: async () => TWO })).toEqual([]);
    expect(await gpus({ setting: read('1'), list: async () => TWO })).toEqual([
      { deviceId: 1, identity: 'GPU-bbbb' },
    ]);
    expect(await gpus({ setting: read('0,1') })).toEqual([
      { deviceId: 0, identity: 'box/0' },
      { deviceId: 1, identity: 'box/1' },
    ]);
  });
});
