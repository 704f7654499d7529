import { QuernError } from '@quern/contract';
import { z } from 'zod';
import { BlobPlaces } from './blob-places.ts';
import type { BlobStore } from './blob-store.ts';
import { FolderBlobStore } from './folder-blob-store.ts';

/** Which stores there are, and what goes there; a process may hand it on to another one as JSON. */
export const blobOptionsSchema = z.object({
  /** Where new large payloads go. */
  blobStore: z.enum(['redis', 'folder']),
  blobMinBytes: z.number(),
  blobFolder: z.string().optional(),
});
export type BlobOptions = z.infer<typeof blobOptionsSchema>;

/**
 * The stores that settings name. One that is configured is read even if new payloads go elsewhere.
 * @throws QuernError `CONFIG_INVALID` if the store that is chosen is not configured
 */
export function openBlobs({ blobStore, blobMinBytes, blobFolder }: BlobOptions): BlobPlaces {
  const stores = new Map<string, BlobStore>();
  if (blobFolder !== undefined) stores.set('folder', new FolderBlobStore(blobFolder));
  if (blobStore === 'folder' && blobFolder === undefined) {
    throw new QuernError(
      'CONFIG_INVALID',
      'QUERN_BLOB_FOLDER: got nothing, expected a folder, because QUERN_BLOB_STORE=folder',
    );
  }
  return new BlobPlaces({ stores, writesTo: blobStore, minBytes: blobMinBytes });
}
