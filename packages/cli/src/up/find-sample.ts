import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '@quern/contract';
import type { RepositoryModel } from '@quern/runtime';
import { z } from 'zod';

const sampleSchema = z.object({
  description: z.string().optional(),
  input: z.record(z.string(), z.unknown()),
});

/** A real input of a model, from `models/<model>/samples/*.json`. */
export interface Sample extends z.infer<typeof sampleSchema> {
  readonly file: string;
}

/** The example that says most to people. */
const FIRST_CHOICE = 'digits';

/** The first of these models that has a sample, with the smallest of its samples. */
export async function findSample(
  models: readonly RepositoryModel[],
): Promise<{ model: RepositoryModel; sample: Sample } | undefined> {
  const isFirstChoice = (model: RepositoryModel): number => Number(model.name === FIRST_CHOICE);
  const inOrder = [...models].sort((a, b) => isFirstChoice(b) - isFirstChoice(a));
  for (const model of inOrder) {
    const sample = await smallestSample(join(model.dir, 'samples'));
    if (sample !== undefined) return { model, sample };
  }
  return undefined;
}

/** The smallest one is most likely a single row, and fits a command line. */
async function smallestSample(dir: string): Promise<Sample | undefined> {
  const names = await readdir(dir).catch(() => []);
  const files = names.filter((name) => name.endsWith('.json')).sort();
  const texts = await Promise.all(
    files.map(async (name) => {
      const file = join(dir, name);
      return { file, text: await readFile(file, 'utf8').catch(() => '') };
    }),
  );
  texts.sort((a, b) => a.text.length - b.text.length);
  for (const { file, text } of texts) {
    const sample = parseSample(text);
    if (sample !== undefined) return { ...sample, file };
  }
  return undefined;
}

/** Samples are there for people; a broken one is no reason to fail. */
function parseSample(text: string): z.infer<typeof sampleSchema> | undefined {
  try {
    return sampleSchema.safeParse(parseJson(text)).data;
  } catch {
    return undefined;
  }
}
