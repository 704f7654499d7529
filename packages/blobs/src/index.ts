export { blobStoreFault } from './blob-errors.ts';
export { BlobPlaces, type BlobPlacesOptions, isBlobReference } from './blob-places.ts';
export type { BlobContent, BlobStore, BlobWriteOptions, ByteRange } from './blob-store.ts';
export { clampRange } from './byte-range.ts';
export { FolderBlobStore } from './folder-blob-store.ts';
export { type BlobOptions, blobOptionsSchema, openBlobs } from './open-blobs.ts';
export { S3BlobStore } from './s3-blob-store.ts';
export type { S3Options } from './s3-connection.ts';
