import { writeFile } from 'node:fs/promises';
import type { ApiClient } from '../api-client.ts';
import type { Terminal } from '../terminal.ts';
import { type DeclaredModel, declarationsOf } from './declarations.ts';

export interface DeclareOptions {
  readonly client: ApiClient;
  readonly terminal: Terminal;
  /** `NAME` or `NAME:VERSION`; none for every model whose tensors are known. */
  readonly names: readonly string[];
  /** File to write; standard output if absent. */
  readonly out: string | undefined;
}

/** Writes TypeScript declarations of models. */
export async function declareModels(options: DeclareOptions): Promise<void> {
  const { client, terminal, names, out } = options;
  const models = names.length === 0 ? await knownModels(client) : await namedModels(client, names);
  const text = declarationsOf(models);
  if (out === undefined) {
    terminal.out.write(text);
    return;
  }
  await writeFile(out, text);
  terminal.err.write(`${out}: ${models.map(({ model }) => model.name).join(', ')}\n`);
}

async function knownModels(client: ApiClient): Promise<DeclaredModel[]> {
  const models = await client.models();
  const isKnown = (model: (typeof models)[number]) =>
    model.versions.some(({ inputs, outputs }) => inputs !== null && outputs !== null);
  return models.filter(isKnown).map((model) => ({ model }));
}

function namedModels(client: ApiClient, names: readonly string[]): Promise<DeclaredModel[]> {
  return Promise.all(
    names.map(async (text) => {
      const [name = '', version] = text.split(':', 2);
      return { model: await client.model(name), version };
    }),
  );
}
