import { relative } from 'node:path';
import { stringifyJson } from '@quern/contract';
import type { RepositoryModel } from '@quern/runtime';
import type { ApiClient } from '../api-client.ts';
import { ApiRefusal, ApiUnreachable } from '../api-errors.ts';
import type { ModelView } from '../models/model-view.ts';
import { labelText, rankLabels } from '../output/top-labels.ts';
import { timesText } from '../predict/predict.ts';
import { findSample, type Sample } from './find-sample.ts';
import { drawGreyImage } from './grey-image.ts';

export interface FirstPredictionOptions {
  readonly client: ApiClient;
  /** The models that are ready, from the repository. */
  readonly models: readonly RepositoryModel[];
  readonly views: readonly ModelView[];
  readonly needsKey: boolean;
  readonly signal: AbortSignal;
}

const WAIT_SECONDS = 30;
const MAX_ANSWER_CHARS = 300;
/** A longer body is no fun to paste. */
const MAX_CURL_BODY_CHARS = 2000;

/** Asks a model about one of its own samples, and tells question and answer. */
export async function firstPrediction(options: FirstPredictionOptions): Promise<string> {
  const found = await findSample(options.models);
  if (found === undefined) return howToAddOne(options.models);
  const { model, sample } = found;
  const file = relative('', sample.file);
  const heading = `A first prediction, with the model ${model.name} and ${file}`;
  try {
    const lines = await ask(model, sample, options);
    return [heading, '', ...lines, '', ...curlLines(model, sample, options)].join('\n');
  } catch (error) {
    if (error instanceof ApiRefusal) return `${heading}: ${error.code}: ${error.message}`;
    if (error instanceof ApiUnreachable) return `${heading}: ${error.message}`;
    throw error;
  }
}

async function ask(
  model: RepositoryModel,
  sample: Sample,
  { client, views, signal }: FirstPredictionOptions,
): Promise<string[]> {
  const startedAtMs = performance.now();
  const prediction = await client.create(
    { model: model.name, input: sample.input },
    { waitSeconds: WAIT_SECONDS, signal },
  );
  const elapsedMs = performance.now() - startedAtMs;
  const view = views.find(({ name }) => name === model.name);
  const labels = view?.versions.find(({ version }) => version === prediction.version)?.labels;
  const picture = drawGreyImage(sample.input)?.map((line) => `      ${line}`);
  return [
    ...(picture === undefined ? [] : [...picture, '']),
    `  question  ${sample.description ?? inputNames(sample)}`,
    `  answer    ${answerText(prediction, labels ?? model.labels ?? [])}`,
    `  time      ${timesText(prediction, elapsedMs)}`,
  ];
}

type Answered = Awaited<ReturnType<ApiClient['create']>>;

function answerText({ status, output, error }: Answered, labels: readonly string[]): string {
  if (error !== null) return `${error.code}: ${error.message}`;
  if (output === null) return `none yet: the prediction is ${status}`;
  const [best] = rankLabels(output, labels, 1)[0] ?? [];
  if (best !== undefined) return labelText(best);
  const text = stringifyJson(output, true);
  return text.length > MAX_ANSWER_CHARS ? `${text.slice(0, MAX_ANSWER_CHARS)}...` : text;
}

function inputNames({ input }: Sample): string {
  return `its inputs ${Object.keys(input).join(', ')}`;
}

function curlLines(
  model: RepositoryModel,
  sample: Sample,
  { client, needsKey }: FirstPredictionOptions,
): string[] {
  const body = stringifyJson({ input: sample.input }, true);
  if (body.length > MAX_CURL_BODY_CHARS) return [];
  const key = needsKey ? ' -H "Authorization: Bearer $QUERN_API_KEY"' : '';
  return [
    'The same by hand:',
    '',
    `curl -s ${client.url}/v1/models/${model.name}/predictions -H 'Prefer: wait'${key} ` +
      `-H 'Content-Type: application/json' -d ${shellQuoted(body)}`,
  ];
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function howToAddOne(ready: readonly RepositoryModel[]): string {
  if (ready.length === 0) {
    return 'No model is ready. Put one at NAME/1/model.onnx in the models folder and start again.';
  }
  return (
    'No model has a sample to try. Add one as samples/NAME.json in a model’s folder: ' +
    '{"description": "...", "input": {TENSOR: VALUES}}'
  );
}
