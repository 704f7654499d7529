import { resolve } from 'node:path';
import { z } from 'zod';
import { flagText, integerText, setting } from './settings.ts';

/** Settings of every process that reads or writes payloads. All of them need the same. */
export const blobSettings = {
  blobStore: setting<'redis' | 'folder' | 's3'>({
    variable: 'QUERN_BLOB_STORE',
    schema: z.string().pipe(z.enum(['redis', 'folder', 's3'])),
    fallback: 'redis',
    meaning:
      'Where inputs and results from QUERN_BLOB_MIN_BYTES on are stored: redis, folder (QUERN_BLOB_FOLDER) or s3 (QUERN_BLOB_S3_BUCKET).',
  }),
  blobMinBytes: setting({
    variable: 'QUERN_BLOB_MIN_BYTES',
    schema: integerText(4097, 1_073_741_824),
    fallback: 262_144,
    meaning: 'Inputs and results of fewer bytes, as they are encoded, stay in Redis.',
  }),
  blobFolder: setting<string | undefined>({
    variable: 'QUERN_BLOB_FOLDER',
    schema: z.string().transform((folder) => resolve(folder)),
    fallback: undefined,
    meaning:
      'The folder of large inputs and results, shared by all processes. What lies there is read as long as it is set.',
  }),
  blobS3Bucket: setting<string | undefined>({
    variable: 'QUERN_BLOB_S3_BUCKET',
    schema: z.string(),
    fallback: undefined,
    meaning:
      'The bucket of large inputs and results. Credentials are found as by the tools of AWS: AWS_ACCESS_KEY_ID and so on.',
  }),
  blobS3Endpoint: setting<string | undefined>({
    variable: 'QUERN_BLOB_S3_ENDPOINT',
    schema: z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// address' }),
    fallback: undefined,
    meaning: 'Where the storage is, if it is not S3 of AWS.',
  }),
  blobS3Region: setting({
    variable: 'QUERN_BLOB_S3_REGION',
    schema: z.string(),
    fallback: 'us-east-1',
    meaning: 'The region of the bucket.',
  }),
  blobS3PathStyle: setting({
    variable: 'QUERN_BLOB_S3_PATH_STYLE',
    schema: flagText(),
    fallback: false,
    meaning:
      'Whether the bucket is named in the path and not in the host name, as many storages want it.',
  }),
  blobS3Prefix: setting({
    variable: 'QUERN_BLOB_S3_PREFIX',
    schema: z.string(),
    fallback: 'quern/',
    meaning: 'What the names of the objects begin with. Nothing else may lie there.',
  }),
} as const;
