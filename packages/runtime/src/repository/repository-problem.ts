/** One thing wrong with a model folder. */
export interface RepositoryProblem {
  /** The folder's name. */
  readonly model: string;
  /** The file or folder that is wrong. */
  readonly file: string;
  /** Where in the file, from 1. */
  readonly line?: number;
  readonly column?: number;
  /** The key in `model.yaml`, such as `batching.maxBatchSize`. */
  readonly key?: string;
  /** What was got, what was expected. */
  readonly message: string;
}

/** The problem in one line, in the form that editors and terminals make clickable. */
export function formatProblem(problem: RepositoryProblem): string {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== undefined);
  const key = problem.key === undefined ? '' : `${problem.key}: `;
  return `${place.join(':')}: ${key}${problem.message}`;
}
