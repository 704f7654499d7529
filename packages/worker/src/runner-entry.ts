import { fileURLToPath } from 'node:url';
import { type BlobOptions, blobOptionsSchema } from '@quern/blobs';
import type { RepositoryModel, RunnerEntryPoint } from '@quern/runtime';

export interface RunnerEnvironment {
  readonly redisUrl: string;
  readonly blobs: BlobOptions;
  /** What runners inherit besides: CUDA's, Vulkan's and Node's own variables. */
  readonly inherited: Readonly<NodeJS.ProcessEnv>;
}

/** How the processes that run a model are started; they read large inputs themselves. */
export function runnerEntry(
  { name, config }: RepositoryModel,
  { redisUrl, blobs, inherited }: RunnerEnvironment,
): RunnerEntryPoint {
  // Beside this file, built or in source form.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return {
    entry: fileURLToPath(new URL(`./runner/main.${extension}`, import.meta.url)),
    env: {
      // Devices are numbered as nvidia-smi does it, not by speed.
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      ...inherited,
      QUERN_REDIS_URL: redisUrl,
      QUERN_RUNNER_BLOBS: JSON.stringify(blobOptionsSchema.parse(blobs)),
      QUERN_RUNNER_MODEL: name,
      QUERN_RUNNER_RESULT_TTL_MS: String(config.queue.retention.succeeded.ageSeconds * 1000),
    },
  };
}
