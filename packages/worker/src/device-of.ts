import type { RepositoryModel } from '@quern/runtime';
import type { DeviceShare } from './device-turns.ts';
import type { Placement } from './instance-placer.ts';

/**
 * What a model takes of which device. On a CPU as many runs fit as their threads leave cores; a GPU runs
 * one at a time. A model whose instances lie on several GPUs shares these with those on the same ones.
 */
export function deviceOf(
  { name, config }: RepositoryModel,
  executionProvider: string,
  { threads, deviceIds }: Pick<Placement, 'threads' | 'deviceIds'>,
  cores: number,
): Omit<DeviceShare, 'onTurn'> {
  const flow = { model: name, weight: config.instances.weight };
  if (executionProvider === 'cpu') {
    return { ...flow, device: 'cpu', capacity: cores, units: threads };
  }
  const gpus = [...new Set(deviceIds)].sort((a, b) => a - b);
  const device = [executionProvider, ...gpus].join(':');
  return { ...flow, device, capacity: Math.max(1, gpus.length), units: 1 };
}
