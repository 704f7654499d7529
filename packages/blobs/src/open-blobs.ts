import { QuernError } from '@quern/contract';
import { z } from 'zod';
import { BlobPlaces } from './blob-places.ts';
import type { BlobStore } from './blob-store.ts';
import { FolderBlobStore } from './folder-blob-store.ts';
import { S3BlobStore } from './s3-blob-store.ts';

/** Which stores there are, and what goes there; a process may hand it on to another one as JSON. */
export const blobOptionsSchema = z.object({
  /** Where new large payloads go. */
  blobStore: z.enum(['redis', 'folder', 's3']),
  blobMinBytes: z.number(),
  blobFolder: z.string().optional(),
  blobS3Bucket: z.string().optional(),
  blobS3Endpoint: z.string().optional(),
  blobS3Region: z.string().optional(),
  blobS3PathStyle: z.boolean().optional(),
  blobS3Prefix: z.string().optional(),
});
export type BlobOptions = z.infer<typeof blobOptionsSchema>;

/**
 * The stores that settings name. One that is configured is read even if new payloads go elsewhere.
 * @throws QuernError `CONFIG_INVALID` if the store that is chosen is not configured
 */
export function openBlobs(options: BlobOptions): BlobPlaces {
  const { blobStore, blobMinBytes, blobFolder, blobS3Bucket } = options;
  const stores = new Map<string, BlobStore>();
  if (blobFolder !== undefined) stores.set('folder', new FolderBlobStore(blobFolder));
  else if (blobStore === 'folder') throw missing('QUERN_BLOB_FOLDER', 'a folder', blobStore);
  if (blobS3Bucket !== undefined) {
    const store = new S3BlobStore({
      bucket: blobS3Bucket,
      endpoint: options.blobS3Endpoint,
      region: options.blobS3Region,
      pathStyle: options.blobS3PathStyle,
      prefix: options.blobS3Prefix,
    });
    stores.set('s3', store);
  } else if (blobStore === 's3') throw missing('QUERN_BLOB_S3_BUCKET', 'a bucket', blobStore);
  return new BlobPlaces({ stores, writesTo: blobStore, minBytes: blobMinBytes });
}

function missing(variable: string, expected: string, blobStore: string): QuernError {
  return new QuernError(
    'CONFIG_INVALID',
    `${variable}: got nothing, expected ${expected}, because QUERN_BLOB_STORE=${blobStore}`,
  );
}
