import type { ServedModel } from '@quern/contract';
import { formatProblem, modelConfigSchema, type RepositoryScan } from '@quern/runtime';

/** Models whose folders hold nothing that can be served, so that the registry says what is wrong. */
export function unservedModels(scan: RepositoryScan): ServedModel[] {
  const served = new Set(scan.models.map(({ name }) => name));
  const names = new Set(
    scan.problems.map(({ model }) => model).filter((name) => !served.has(name)),
  );
  const { batching, queue } = modelConfigSchema.parse({});
  return [...names].map((name) => ({
    name,
    batching,
    queue,
    versions: [],
    ...problemsOf(scan, name),
  }));
}

/** What is wrong with a model's folder; nothing if all is well. Some versions may be served all the same. */
export function problemsOf(scan: RepositoryScan, name: string): Pick<ServedModel, 'problems'> {
  const problems = scan.problems.filter(({ model }) => model === name).map(formatProblem);
  return problems.length === 0 ? {} : { problems };
}
