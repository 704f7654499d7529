import type { BulkLimits } from '@quern/bulk';
import { egressSettings } from '@quern/egress';
import {
  blobSettings,
  flagText,
  integerText,
  listText,
  portText,
  setting,
  sharedSettings,
  webhookSecretSettings,
} from '@quern/service';
import { z } from 'zod';

/** Every environment variable that the API reads. */
export const apiSettings = {
  ...sharedSettings,
  ...blobSettings,
  ...egressSettings,
  ...webhookSecretSettings,
  port: setting({
    variable: 'QUERN_API_PORT',
    schema: portText(),
    fallback: 8080,
    meaning: 'Port of the API.',
  }),
  adminKeys: setting<readonly string[]>({
    variable: 'QUERN_ADMIN_KEYS',
    schema: listText(),
    fallback: [],
    meaning:
      'Comma-separated keys of administrators, who may also load and unload models, lift quarantines and reset run times. Where neither these nor QUERN_API_KEYS are set, everybody may.',
    secret: true,
  }),
  bodyLimitBytes: setting({
    variable: 'QUERN_BODY_LIMIT_BYTES',
    schema: integerText(1024, 1_073_741_824),
    fallback: 33_554_432,
    meaning: 'Largest request body, in bytes.',
  }),
  requestTimeoutMs: setting({
    variable: 'QUERN_REQUEST_TIMEOUT_MS',
    schema: integerText(100, 3_600_000),
    fallback: 120_000,
    meaning: 'How long a client may take to send a request; a slower one is cut off.',
  }),
  syncWaitMs: setting({
    variable: 'QUERN_SYNC_WAIT_MS',
    schema: integerText(1, 3_600_000),
    fallback: 60_000,
    meaning:
      'How long a `/v2` infer request waits for its result, and a request to load or unload a model for the workers.',
  }),
  maxFileBytes: setting({
    variable: 'QUERN_MAX_FILE_BYTES',
    schema: integerText(1024, 1_073_741_824),
    fallback: 209_715_200,
    meaning: 'Largest file that may be uploaded, in bytes.',
  }),
  filesTotalBytes: setting({
    variable: 'QUERN_FILES_TOTAL_BYTES',
    schema: integerText(1024, 1_099_511_627_776),
    fallback: 1_073_741_824,
    meaning: 'Most that all files may take together in Redis, in bytes.',
  }),
  fileRetentionSeconds: setting({
    variable: 'QUERN_FILE_RETENTION_SECONDS',
    schema: integerText(3600, 2_592_000),
    fallback: 604_800,
    meaning: 'How long a file is kept unless its upload says otherwise.',
  }),
  cancelOnHangUp: setting({
    variable: 'QUERN_CANCEL_ON_HANG_UP',
    schema: flagText(),
    fallback: true,
    meaning:
      'Whether a prediction is canceled when the only caller that waits for it hangs up before it has started.',
  }),
  publicUrl: setting<string | undefined>({
    variable: 'QUERN_PUBLIC_URL',
    schema: z
      .url({ protocol: /^https?$/, error: 'expected a URL such as https://quern.example.com' })
      .transform((url) => url.replace(/\/+$/, '')),
    fallback: undefined,
    meaning:
      'Base of the links in answers, for an API behind a proxy. Default: what the client called.',
  }),
  corsOrigins: setting<readonly string[]>({
    variable: 'QUERN_CORS_ORIGINS',
    schema: listText().pipe(
      z.array(
        z.string().regex(/^(?:\*|https?:\/\/[^/\s]+)$/, {
          error: 'expected origins such as https://app.example.com, or *',
        }),
      ),
    ),
    fallback: [],
    meaning: 'Comma-separated origins whose pages may call the API from a browser; `*` for any.',
  }),
} as const;

/** What the settings say of files and batches, in the package's terms. */
export function bulkLimitsFrom(settings: {
  readonly maxFileBytes: number;
  readonly filesTotalBytes: number;
  readonly fileRetentionSeconds: number;
}): BulkLimits {
  const { maxFileBytes, filesTotalBytes: totalBytes, fileRetentionSeconds } = settings;
  return { maxFileBytes, totalBytes, retentionMs: fileRetentionSeconds * 1000 };
}
