import { readdir, readFile } from 'node:fs/promises';

const SAMPLE_EVERY_MS = 50;

/** Reads how many bytes something holds now. */
export type MemoryReader = () => Promise<number>;

/**
 * How far each of several readings rises above where it stood while an action runs: the highest of
 * samples, so a peak between two of them goes unnoticed.
 * @returns bytes, by the names of `readers`
 */
export async function memoryGrowth<Name extends string>(
  readers: Readonly<Record<Name, MemoryReader>>,
  action: () => Promise<unknown>,
): Promise<Record<Name, number>> {
  const names = Object.keys(readers) as Name[];
  const read = async (): Promise<Record<Name, number>> => {
    const values = await Promise.all(names.map(async (name) => [name, await readers[name]()]));
    return Object.fromEntries(values) as Record<Name, number>;
  };
  const before = await read();
  const growth = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
  let isRunning = true;
  const sampling = (async () => {
    while (isRunning) {
      const now = await read();
      for (const name of names) growth[name] = Math.max(growth[name], now[name] - before[name]);
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_EVERY_MS));
    }
  })();
  try {
    await action();
  } finally {
    isRunning = false;
    await sampling;
  }
  return growth;
}

/** Resident memory of a process and all below it. Source: proc(5) */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const own = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  const children = await childrenOf(pid);
  const below = await Promise.all(children.map((child) => residentBytes(child)));
  return below.reduce((sum, bytes) => sum + bytes, own);
}

async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    threads.map((id) => readFile(`/proc/${pid}/task/${id}/children`, 'utf8').catch(() => '')),
  );
  return lists.flatMap((text) => text.split(' ').filter(Boolean).map(Number));
}
