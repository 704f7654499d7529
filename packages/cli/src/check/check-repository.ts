import { join, relative } from 'node:path';
import { toQuernError } from '@quern/contract';
import {
  formatProblem,
  inspectModel,
  type LoadedModel,
  loadRepository,
  type ModelVersion,
  type RepositoryModel,
  type RepositoryProblem,
  toRunnerModel,
} from '@quern/runtime';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { labelsText } from '../models/show-models.ts';
import { durationText, tensorText } from '../output/readable-numbers.ts';
import { StatusLine, type Terminal } from '../terminal.ts';

/** Enough to see that the model runs; measuring every batch size is the worker's business. */
const WARM_UP_BUDGET_MS = 300;

/**
 * Loads every model of a repository, each in a process of its own, and says what it takes and gives.
 * Descriptions go to standard output, problems (`file:line:column: key: message`) to standard error.
 * @returns `failed` if there is any problem
 * @throws QuernError `CONFIG_INVALID` if the folder cannot be read
 */
export async function checkRepository(dir: string, terminal: Terminal): Promise<ExitCode> {
  const scan = await loadRepository(dir);
  const problems: RepositoryProblem[] = [...scan.problems];
  for (const model of scan.models) {
    for (const version of model.versions) {
      const problem = await checkVersion(model, version, terminal);
      if (problem !== undefined) problems.push(problem);
    }
  }
  for (const problem of problems) terminal.err.write(`${formatProblem(problem)}\n`);
  terminal.out.write(`${summary(dir, scan.models.length, problems.length)}\n`);
  return problems.length === 0 ? EXIT_CODES.ok : EXIT_CODES.failed;
}

async function checkVersion(
  model: RepositoryModel,
  version: ModelVersion,
  terminal: Terminal,
): Promise<RepositoryProblem | undefined> {
  const status = new StatusLine(terminal.err, `Loading ${model.name} ${version.version}`);
  try {
    const runnerModel = toRunnerModel(model, version);
    const warmup = { ...runnerModel.warmup, budgetMs: WARM_UP_BUDGET_MS };
    const loaded = await inspectModel(version.modelPath, { model: { ...runnerModel, warmup } });
    status.end();
    terminal.out.write(`${describeVersion(model, version, loaded)}\n\n`);
    return undefined;
  } catch (error) {
    status.end();
    return problemOf(model, version, toQuernError(error).message);
  }
}

/** A message about model.yaml begins with the file and the line in it. */
function problemOf(
  model: RepositoryModel,
  version: ModelVersion,
  message: string,
): RepositoryProblem {
  const [, line, column, text] = /^model\.yaml(?::(\d+):(\d+))?: (.*)$/s.exec(message) ?? [];
  if (text === undefined) return { model: model.name, file: version.modelPath, message };
  const place = line === undefined ? {} : { line: Number(line), column: Number(column) };
  return { model: model.name, file: join(model.dir, 'model.yaml'), ...place, message: text };
}

function describeVersion(
  model: RepositoryModel,
  version: ModelVersion,
  loaded: LoadedModel,
): string {
  const { signature, fallbacks } = loaded;
  const lines = [
    ...signature.inputs.map((tensor) => ['takes', tensorText(tensor)]),
    ...signature.outputs.map((tensor) => ['gives', tensorText(tensor)]),
    ...(model.labels === undefined ? [] : [['labels', labelsText(model.labels)]]),
    ['batching', batchingText(model, loaded)],
    ['provider', loaded.executionProvider],
    ...fallbacks.map(({ provider, reason }) => ['warning', `${provider} does not work: ${reason}`]),
    ...loaded.warnings.map((warning) => ['warning', warning]),
    ...labelWarnings(model, loaded).map((warning) => ['warning', warning]),
  ];
  const file = relative('', version.modelPath) || version.modelPath;
  return [`${model.name} ${version.version}  ${file}`, ...columns(lines)].join('\n');
}

/** A title is printed on the first of its lines alone. */
function columns(lines: readonly string[][]): string[] {
  return lines.map(([title = '', text = ''], index) => {
    const isRepeated = title !== 'warning' && lines[index - 1]?.[0] === title;
    return `  ${(isRepeated ? '' : title).padEnd(9)} ${text}`;
  });
}

function batchingText(model: RepositoryModel, { signature, warmupProfile }: LoadedModel): string {
  const { mode, maxBatchSize } = model.config.batching;
  const one = warmupProfile.find(({ rows }) => rows === 1);
  const time = one === undefined ? '' : `; one row took ${durationText(one.timeMs)}`;
  if (!signature.batchable) return `none: predictions run one by one${time}`;
  return `${mode}, up to ${maxBatchSize} rows${time}`;
}

function labelWarnings({ labels, config }: RepositoryModel, { signature }: LoadedModel): string[] {
  // Steps that read labels compare them with what comes to them.
  if (labels === undefined || config.postprocess.length > 0) return [];
  const fits = signature.outputs.some(({ shape }) => {
    const extent = shape.at(-1);
    return extent === labels.length || extent === -1;
  });
  if (fits) return [];
  const extents = signature.outputs.map(({ shape }) => shape.at(-1) ?? 'none').join(', ');
  return [`labels.txt has ${labels.length} lines, but the outputs' last dimensions are ${extents}`];
}

function summary(dir: string, models: number, problems: number): string {
  if (models === 0 && problems === 0) {
    return `${dir} has no model. Put one at ${dir}/NAME/1/model.onnx.`;
  }
  const count = `${models} ${models === 1 ? 'model' : 'models'}`;
  const verdict =
    problems === 0 ? 'no problem' : `${problems} ${problems === 1 ? 'problem' : 'problems'}`;
  return `${count}, ${verdict}.`;
}
