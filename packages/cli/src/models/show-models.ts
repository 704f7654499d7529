import type { ApiClient } from '../api-client.ts';
import { jsonText } from '../output/json-text.ts';
import { durationText, rateText, tensorText } from '../output/readable-numbers.ts';
import { tableText } from '../output/table.ts';
import type { Screen } from '../terminal.ts';
import type { ModelView, TensorView, VersionView } from './model-view.ts';
import { versionStatsLines } from './version-stats-lines.ts';

const HEADING = [
  'MODEL',
  'VERSION',
  'STATE',
  'PROVIDER',
  'INSTANCES',
  'WAITING',
  'ROWS/S',
  'MEAN BATCH',
];
const SHOWN_LABELS = 12;

export interface ShowOptions {
  readonly client: ApiClient;
  readonly screen: Screen;
  /** Prints the API's answer instead. */
  readonly json: boolean;
}

/** Prints all models. */
export async function listModels({ client, screen, json }: ShowOptions): Promise<void> {
  const models = await client.models();
  screen.write(`${json ? jsonText({ results: models }) : modelsTable(models)}\n`);
}

/** Prints one model. */
export async function showModel(
  name: string,
  { client, screen, json }: ShowOptions,
): Promise<void> {
  const model = await client.model(name);
  screen.write(`${json ? jsonText(model) : modelDetails(model)}\n`);
}

/** All models as a table, one line for each version; reasons of unhealthy ones below. */
export function modelsTable(models: readonly ModelView[]): string {
  if (models.length === 0) {
    return 'No model. Put one at models/NAME/1/model.onnx and start a worker (quern up).';
  }
  const rows = models.flatMap((model) => versionRows(model));
  const reasons = models.flatMap((model) =>
    model.versions
      .filter((version) => version.reason !== undefined)
      .map((version) => `${model.name} ${version.version}: ${version.reason}`),
  );
  return [tableText(HEADING, rows), ...(reasons.length === 0 ? [] : ['', ...reasons])].join('\n');
}

function versionRows(model: ModelView): string[][] {
  const { queue, stats } = model;
  const shared = [
    String(queue.waiting),
    rateText(stats.rows_per_second),
    stats.mean_batch_rows === 0 ? '-' : rateText(stats.mean_batch_rows),
  ];
  if (model.versions.length === 0) return [[model.name, '-', model.state, '-', '-', ...shared]];
  return model.versions.map((version, index) => [
    index === 0 ? model.name : '',
    version.version,
    version.state,
    providersText(version),
    String(version.instances),
    // The queue is the model's, not the version's.
    ...(index === 0 ? shared : ['', '', '']),
  ]);
}

/** One model in detail. */
export function modelDetails(model: ModelView): string {
  const { batching, queue, stats } = model;
  const oldest =
    queue.oldest_waiting_ms === null ? '' : `, oldest ${durationText(queue.oldest_waiting_ms)}`;
  const facts: [string, string | undefined][] = [
    ['state', `${model.state}, ${model.live_workers} live ${plural(model.live_workers, 'worker')}`],
    ['license', model.license],
    ['origin', model.origin],
    [
      'batching',
      `${batching.mode}, at most ${batching.max_batch_size} rows, ${batching.max_queue_delay_ms} ms delay`,
    ],
    ['queue', `${queue.waiting} waiting, ${queue.active} active${oldest}`],
    [
      'recent',
      `${rateText(stats.rows_per_second)} rows/s, mean batch ${rateText(stats.mean_batch_rows)}, ` +
        `inference ${durationText(stats.mean_inference_ms)}, queue ${durationText(stats.mean_queue_ms)}, ${stats.failed} failed`,
    ],
  ];
  const lines = facts.flatMap(([name, text]) =>
    text === undefined ? [] : [`  ${name.padEnd(9)} ${text}`],
  );
  const description = model.description === undefined ? '' : `: ${model.description}`;
  return [`${model.name}${description}`, ...lines, ...model.versions.flatMap(versionLines)].join(
    '\n',
  );
}

function versionLines(version: VersionView): string[] {
  const rows = version.max_rows === null ? '' : `, up to ${version.max_rows} rows`;
  const where = `${providersText(version)}, ${version.instances} ${plural(version.instances, 'instance')}`;
  return [
    '',
    `  version ${version.version}: ${version.state} (${where}${rows})`,
    ...(version.reason === undefined ? [] : [`    reason   ${version.reason}`]),
    ...tensorLines('takes', version.inputs),
    ...tensorLines('gives', version.outputs),
    ...(version.labels === undefined ? [] : [`    labels   ${labelsText(version.labels)}`]),
    ...versionStatsLines(version.stats).map(([name, text]) => `    ${name.padEnd(8)} ${text}`),
  ];
}

function tensorLines(title: string, tensors: readonly TensorView[] | null): string[] {
  const texts = tensors?.map(tensorText) ?? ['not known until it is loaded'];
  return texts.map((text, index) => `    ${(index === 0 ? title : '').padEnd(8)} ${text}`);
}

/** The first labels, and how many there are. */
export function labelsText(labels: readonly string[]): string {
  const shown = labels.slice(0, SHOWN_LABELS).join(', ');
  const rest = labels.length - SHOWN_LABELS;
  return rest > 0 ? `${shown}, ... (${labels.length} in all)` : shown;
}

function providersText(version: VersionView): string {
  return version.execution_providers.length === 0 ? '-' : version.execution_providers.join(', ');
}

function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}
