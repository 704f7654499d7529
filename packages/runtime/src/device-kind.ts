import { readdirSync, readFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import { join } from 'node:path';
import type { ExecutionProvider } from './repository/model-config.ts';

/** What a host has to run models on. */
export interface HostDevices {
  /** As the processor calls itself. */
  readonly cpu: string;
  /** Names of graphics processors, as far as the host tells them. */
  readonly gpus: readonly string[];
}

const MAX_NAME = 40;

/**
 * A short name for what a model's instance computes on, the same on every host of the same kind:
 * `amd-epyc-7b13.2t` with the threads of an instance, or `nvidia-h100-80gb-hbm3`. Run times that were
 * measured under the same name can be compared.
 * @param threads of one instance
 */
export function deviceKind(
  provider: ExecutionProvider,
  threads: number,
  host: HostDevices = hostDevices(),
): string {
  const cpu = slug(host.cpu);
  if (provider === 'cpu') return `${cpu}.${threads}t`;
  const gpus = [...new Set(host.gpus.map(slug))].sort().join('+');
  // Without a name, the processor's at least tells hosts of different kinds apart.
  return gpus === '' ? `gpu-of-${cpu}` : gpus.slice(0, 2 * MAX_NAME);
}

/** `AMD EPYC 7B13 64-Core Processor` -> `amd-epyc-7b13`. */
function slug(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/\((?:r|tm)\)|\bcpu\b|\bprocessor\b|\b\d+-core\b|@.*$/g, ' ')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, MAX_NAME);
}

let known: HostDevices | undefined;

/** Read once: devices do not change while a process lives. */
function hostDevices(): HostDevices {
  known ??= { cpu: cpus()[0]?.model.trim() || arch(), gpus: [...nvidiaGpus(), ...otherGpus()] };
  return known;
}

/** What NVIDIA's driver tells. */
function nvidiaGpus(): string[] {
  const folder = '/proc/driver/nvidia/gpus';
  return namesIn(folder).flatMap((name) => {
    const text = textOf(join(folder, name, 'information'));
    const model = /^Model:\s*(.+)$/m.exec(text)?.[1];
    return model === undefined ? [] : [model];
  });
}

const NVIDIA_VENDOR = '0x10de';

/** Vendor and device numbers of the other graphics cards. */
function otherGpus(): string[] {
  const folder = '/sys/class/drm';
  return namesIn(folder)
    .filter((name) => /^card\d+$/.test(name))
    .flatMap((name) => {
      const vendor = textOf(join(folder, name, 'device', 'vendor')).trim();
      const device = textOf(join(folder, name, 'device', 'device')).trim();
      return vendor === '' || vendor === NVIDIA_VENDOR ? [] : [`gpu ${vendor} ${device}`];
    });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
