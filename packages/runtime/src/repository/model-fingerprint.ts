import { createHash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ModelVersion } from './versions.ts';

/** A file up to this size is read whole; of a larger one its ends are. */
const WHOLE_BYTES = 64 * 1024 * 1024;
/** The graph is at the beginning of an ONNX file, before the weights. */
const END_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;

/**
 * Tells the files of a version from others under the same number, on every host alike: a digest of the
 * model's content (of a large model's both ends), and of the names and sizes of the files beside it,
 * where external weights lie.
 * @throws Error if the files cannot be read
 */
export async function modelFingerprint({ modelPath }: ModelVersion): Promise<string> {
  const hash = createHash('sha256');
  const folder = dirname(modelPath);
  const names = (await readdir(folder)).filter((name) => name !== basename(modelPath)).sort();
  for (const name of names) {
    const beside = await stat(join(folder, name));
    if (beside.isFile()) hash.update(`${name}:${beside.size};`);
  }
  const file = await open(modelPath);
  try {
    const { size } = await file.stat();
    hash.update(`${size};`);
    const parts =
      size <= WHOLE_BYTES
        ? [[0, size]]
        : [
            [0, END_BYTES],
            [size - END_BYTES, size],
          ];
    for (const [from = 0, to = 0] of parts) {
      for (let at = from; at < to; ) {
        const length = Math.min(CHUNK_BYTES, to - at);
        const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, at);
        if (bytesRead === 0) break;
        hash.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex').slice(0, 32);
}
