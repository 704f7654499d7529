export { Bulk, type BulkLimits, type BulkOptions } from './bulk.ts';
export { fileNotFound } from './files/file-catalogue.ts';
export { FILE_PURPOSES, type FilePurpose, type StoredFile } from './files/file-record.ts';
export { type ByteRange, FileStore, type Upload } from './files/file-store.ts';
export { RedisSegmentStore, type SegmentStore } from './files/segment-store.ts';
export type { ListPage, ListQuery } from './list-page.ts';
