import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXAMPLE_MODELS } from '@quern/testkit';

/** A real input with the answer that is known for it. */
export interface Sample {
  readonly name: string;
  readonly input: Record<string, unknown>;
  readonly expected: Record<string, unknown>;
  readonly tolerance: number;
}

/** The samples that come with an example model. */
export async function readSamples(model: string): Promise<Sample[]> {
  const directory = join(EXAMPLE_MODELS, model, 'samples');
  const files = (await readdir(directory)).filter((file) => file.endsWith('.json'));
  return Promise.all(
    files.map(async (file) => ({
      name: file,
      ...(JSON.parse(await readFile(join(directory, file), 'utf8')) as Omit<Sample, 'name'>),
    })),
  );
}

/** The largest distance between numbers of two values of the same structure; infinite if they differ. */
export function distance(actual: unknown, expected: unknown): number {
  if (typeof actual === 'number' && typeof expected === 'number')
    return Math.abs(actual - expected);
  if (Array.isArray(actual) && Array.isArray(expected) && actual.length === expected.length) {
    return Math.max(0, ...actual.map((item, i) => distance(item, expected[i])));
  }
  if (isRecord(actual) && isRecord(expected)) {
    const keys = Object.keys(expected);
    if (keys.length !== Object.keys(actual).length) return Number.POSITIVE_INFINITY;
    return Math.max(0, ...keys.map((key) => distance(actual[key], expected[key])));
  }
  return actual === expected ? 0 : Number.POSITIVE_INFINITY;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
