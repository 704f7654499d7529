import { egressSettings } from '@quern/egress';
import {
  blobSettings,
  flagText,
  integerText,
  lockSettings,
  portText,
  type SettingValues,
  setting,
  sharedSettings,
} from '@quern/service';
import { z } from 'zod';
import { gpusText } from './gpu-devices.ts';

/** What a worker reads from its environment. */
export const workerSettings = {
  ...sharedSettings,
  ...blobSettings,
  ...lockSettings,
  ...egressSettings,
  inputUrls: setting({
    variable: 'QUERN_INPUT_URLS',
    schema: flagText(),
    fallback: true,
    meaning: 'Whether inputs may be http(s) URLs, which workers fetch.',
  }),
  inputUrlMaxBytes: setting({
    variable: 'QUERN_INPUT_URL_MAX_BYTES',
    schema: integerText(1, 1_073_741_824),
    fallback: 32 * 1024 * 1024,
    meaning: 'Largest size of what the URLs of one prediction lead to, in bytes.',
  }),
  inputUrlTimeoutMs: setting({
    variable: 'QUERN_INPUT_URL_TIMEOUT_MS',
    schema: integerText(100, 600_000),
    fallback: 15_000,
    meaning: 'How long one URL may take, from the connection to the last byte, in milliseconds.',
  }),
  port: setting({
    variable: 'QUERN_WORKER_PORT',
    schema: portText(),
    fallback: 8082,
    meaning: 'Port for health and metrics of a worker; 0 takes a free one.',
  }),
  workerHost: setting({
    variable: 'QUERN_WORKER_HOST',
    schema: z.string(),
    fallback: '127.0.0.1',
    meaning: 'Address for health and metrics of a worker; they tell no secrets and take no input.',
  }),
  models: setting({
    variable: 'QUERN_MODELS',
    schema: z.string(),
    fallback: './models',
    meaning: 'The model repository: a folder with one folder per model.',
  }),
  gpus: setting({
    variable: 'QUERN_GPUS',
    schema: gpusText(),
    fallback: 'auto',
    meaning:
      'CUDA devices that a worker may use: auto (those in CUDA_VISIBLE_DEVICES, else all that nvidia-smi lists), none, or numbers such as 0,1.',
  }),
} as const;

export type WorkerSettings = SettingValues<typeof workerSettings>;
