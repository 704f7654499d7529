import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { batchingSubjects } from '../models/batching-subjects.ts';
import type { PeerModel } from './peer.ts';

/** A tiny model, where the way to it is the limit, and one where batching pays. */
const NAMES = ['digits', 'mlp'];

export interface PeerModels {
  readonly models: readonly PeerModel[];
  remove(): Promise<void>;
}

/** Writes the files that all systems load. */
export async function writePeerModels(): Promise<PeerModels> {
  const folder = await mkdtemp(join(tmpdir(), 'quern-peer-models-'));
  const models: PeerModel[] = [];
  for (const { name, onnx, input } of await batchingSubjects()) {
    if (!NAMES.includes(name)) continue;
    const path = join(folder, `${name}.onnx`);
    await writeFile(path, onnx);
    models.push({ name, path, body: protocolBody(input) });
  }
  return { models, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Nested arrays as flat ones with their shape. */
function protocolBody(input: Readonly<Record<string, unknown>>): string {
  const inputs = Object.entries(input).map(([name, nested]) => {
    const shape: number[] = [];
    for (let at = nested; Array.isArray(at); at = at[0]) shape.push(at.length);
    const data = (nested as unknown[]).flat(Number.POSITIVE_INFINITY);
    return { name, shape, datatype: 'FP32', data };
  });
  return JSON.stringify({ inputs });
}
