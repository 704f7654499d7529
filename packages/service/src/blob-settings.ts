import { resolve } from 'node:path';
import { z } from 'zod';
import { integerText, setting } from './settings.ts';

/** Settings of every process that reads or writes payloads. All of them need the same. */
export const blobSettings = {
  blobStore: setting<'redis' | 'folder'>({
    variable: 'QUERN_BLOB_STORE',
    schema: z.string().pipe(z.enum(['redis', 'folder'])),
    fallback: 'redis',
    meaning:
      'Where inputs and results from QUERN_BLOB_MIN_BYTES on are stored: redis, or folder (QUERN_BLOB_FOLDER).',
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
} as const;
