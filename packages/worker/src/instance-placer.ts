import type { DeviceLease, DeviceLeases } from '@quern/queue';
import { type InstancePlan, type RepositoryModel, unmeasuredPlan } from '@quern/runtime';
import type { GpuDevice } from './gpu-devices.ts';
import type { InstancePlanner, ToPlace } from './instance-planner.ts';

/** How a version's instances are laid out on this worker. */
export interface Placement extends InstancePlan {
  /** By instance; empty where ONNX Runtime chooses, or there is no CUDA device. */
  readonly deviceIds: readonly number[];
  /** Gives the devices back. Idempotent. */
  release(): Promise<void>;
}

export interface InstancePlacerOptions {
  readonly leases: Pick<DeviceLeases, 'acquire'>;
  /** What is configured, or measured, on a CPU. */
  readonly planner: Pick<InstancePlanner, 'plan'>;
  /** The CUDA devices that this worker may use. */
  readonly gpus: () => Promise<readonly GpuDevice[]>;
}

/**
 * Says how the instances of each model are laid out on this worker: on a CPU as many processes and threads as
 * are configured or turned out best; on CUDA each instance on a device that is leased for it, one instance unless told otherwise.
 */
export class InstancePlacer {
  readonly #options: InstancePlacerOptions;
  #gpus: Promise<readonly GpuDevice[]> | undefined;

  constructor(options: InstancePlacerOptions) {
    this.#options = options;
  }

  async place(toPlace: ToPlace): Promise<Placement> {
    const { model } = toPlace;
    const { device } = model.config.instances;
    const devices = await this.#devicesFor(model);
    if (devices.length > 0) {
      const plan = unmeasuredPlan(model.config.instances);
      return { ...plan, ...(await this.#leaseEach(model.name, plan.instances, devices)) };
    }
    const plan = await this.#options.planner.plan(toPlace);
    // A device that is not listed is the configuration's business: it may be there all the same.
    const deviceIds = device === 'auto' ? [] : Array<number>(plan.instances).fill(device);
    return { ...plan, deviceIds, release: async () => {} };
  }

  async #devicesFor({ config }: RepositoryModel): Promise<readonly GpuDevice[]> {
    if (!config.executionProviders.includes('cuda')) return [];
    this.#gpus ??= this.#options.gpus();
    const gpus = await this.#gpus;
    const { device } = config.instances;
    return device === 'auto' ? gpus : gpus.filter(({ deviceId }) => deviceId === device);
  }

  async #leaseEach(
    model: string,
    count: number,
    devices: readonly GpuDevice[],
  ): Promise<Pick<Placement, 'deviceIds' | 'release'>> {
    const leases: DeviceLease[] = [];
    const release = async (): Promise<void> => {
      await Promise.all(leases.splice(0).map((lease) => lease.release()));
    };
    try {
      for (let i = 0; i < count; i++) {
        const identities = devices.map(({ identity }) => identity);
        leases.push(await this.#options.leases.acquire(model, identities));
      }
    } catch (error) {
      await release();
      throw error;
    }
    const deviceIds = leases.flatMap(
      (lease) => devices.find(({ identity }) => identity === lease.device)?.deviceId ?? [],
    );
    return { deviceIds, release };
  }
}
