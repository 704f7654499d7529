import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';

/** A CUDA device that this worker may use. */
export interface GpuDevice {
  /** Its number for CUDA in this worker and its runners. */
  readonly deviceId: number;
  /** What every worker calls it that may use it, whatever number it has there. */
  readonly identity: string;
}

/** Which devices a worker may use: all that it sees, none, or those with these numbers. */
export type GpuSetting = 'auto' | 'none' | readonly number[];

const DEVICE_LIST = /^\d+( *, *\d+)*$/;
const LIST_TIMEOUT_MS = 5000;

/** Reads `QUERN_GPUS`. */
export function gpusText(): z.ZodType<GpuSetting, string> {
  return z
    .string()
    .refine((text) => text === 'auto' || text === 'none' || DEVICE_LIST.test(text), {
      error: 'expected auto, none or device numbers such as 0,1',
    })
    .transform((text) =>
      text === 'auto' || text === 'none' ? text : [...new Set(text.split(',').map(Number))],
    );
}

export interface GpuLookup {
  readonly setting: GpuSetting;
  /** `CUDA_VISIBLE_DEVICES`: CUDA numbers the devices anew, in the order of this list. */
  readonly cudaVisibleDevices: string | undefined;
  readonly hostname: string;
  /** What `nvidia-smi -L` prints; empty without it. */
  readonly list: () => Promise<string>;
}

/**
 * The devices that a worker may use, by rising `deviceId`. A device is known by its UUID where that can
 * be found out, else by host and number.
 */
export async function visibleGpus(lookup: GpuLookup): Promise<readonly GpuDevice[]> {
  const { setting, hostname } = lookup;
  if (setting === 'none') return [];
  const visible = lookup.cudaVisibleDevices?.trim();
  const uuids = visible === '' ? [] : uuidsOf(await lookup.list());
  const physical = visible === undefined ? [...uuids.keys()].map(String) : cudaList(visible);
  const identityOf = (name: string): string =>
    /^\d+$/.test(name) ? (uuids[Number(name)] ?? `${hostname}/${name}`) : name;
  const deviceIds = setting === 'auto' ? [...physical.keys()] : [...setting].sort((a, b) => a - b);
  return deviceIds.map((deviceId) => ({
    deviceId,
    identity: identityOf(physical[deviceId] ?? String(deviceId)),
  }));
}

/** `nvidia-smi -L`, where there is one that answers. */
export async function listGpus(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', ['-L'], {
      timeout: LIST_TIMEOUT_MS,
    });
    return stdout;
  } catch {
    return '';
  }
}

/** As CUDA reads it: what comes after something that is no device does not count. */
function cudaList(text: string): string[] {
  const names = text === '' ? [] : text.split(',').map((name) => name.trim());
  const end = names.findIndex((name) => !/^(\d+|GPU-.+|MIG-.+)$/.test(name));
  return end === -1 ? names : names.slice(0, end);
}

/** From lines such as `GPU 0: NVIDIA H100 (UUID: GPU-5a...)`. */
function uuidsOf(list: string): string[] {
  return [...list.matchAll(/^GPU \d+: .*\(UUID: (GPU-[^)\s]+)\)/gm)].flatMap(
    ([, uuid]) => uuid ?? [],
  );
}
