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
    problems: scan.problems.filter(({ model }) => model === name).map(formatProblem),
  }));
}
