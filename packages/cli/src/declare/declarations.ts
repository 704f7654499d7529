import { QuernError } from '@quern/contract';
import type { ModelView, TensorView, VersionView } from '../models/model-view.ts';

/** A model, and the version to write down: absent for the newest one whose tensors are known. */
export interface DeclaredModel {
  readonly model: ModelView;
  readonly version?: string | undefined;
}

/**
 * TypeScript declarations of models for `new QuernClient<QuernModels>(...)`: an interface for each with
 * inputs, outputs and labels, and all of them by name.
 * @throws QuernError `VERSION_NOT_FOUND`; `MODEL_UNAVAILABLE` if no worker has read the model's file yet
 */
export function declarationsOf(models: readonly DeclaredModel[]): string {
  const taken = new Set(['QuernModels', 'Tensor', 'PlainValue']);
  const named = models.map(({ model, version }) => ({
    model,
    version: knownVersion(model, version),
    name: interfaceName(model.name, taken),
  }));
  const hasRecords = named.some(({ version }) =>
    version.inputs.some(({ field }) => field?.kind === 'record'),
  );
  const entries = named.map(({ model, name }) => `  readonly ${key(model.name)}: ${name};`);
  return [
    '// Written by `quern types` from what the API says of its models; write it again, do not edit it.',
    `import type { ${hasRecords ? 'PlainValue, ' : ''}Tensor } from '@quern/client';`,
    '',
    ...named.flatMap(({ model, version, name }) => [...modelLines(model, version, name), '']),
    '/** Models by name, for `new QuernClient<QuernModels>({ url })`. */',
    'export interface QuernModels {',
    ...entries,
    '}',
    '',
  ].join('\n');
}

interface ReadVersion extends VersionView {
  readonly inputs: TensorView[];
  readonly outputs: TensorView[];
}

function isRead(version: VersionView): version is ReadVersion {
  return version.inputs !== null && version.outputs !== null;
}

function knownVersion(model: ModelView, wanted: string | undefined): ReadVersion {
  const candidates = model.versions.filter(({ version }) => (wanted ?? version) === version);
  if (candidates.length === 0 && wanted !== undefined) {
    const known = model.versions.map(({ version }) => version).join(', ');
    throw new QuernError(
      'VERSION_NOT_FOUND',
      `Model ${model.name} has no version ${wanted}, expected one of ${known}.`,
    );
  }
  const read = candidates.filter(isRead);
  const found = read.find(({ state }) => state === 'ready') ?? read[0];
  if (found !== undefined) return found;
  const reason = candidates[0]?.reason ?? 'no worker has read it yet';
  throw new QuernError('MODEL_UNAVAILABLE', `What ${model.name} takes is not known: ${reason}`);
}

function modelLines(model: ModelView, version: ReadVersion, name: string): string[] {
  const { description, name: modelName } = model;
  const about = description === undefined ? '' : `: ${commentText(description)}`;
  const labels = version.labels?.map((label) => JSON.stringify(label)).join(', ');
  return [
    `/** ${modelName}, version ${version.version}${about} */`,
    `export interface ${name} {`,
    '  readonly inputs: {',
    ...version.inputs.flatMap(inputLines),
    '  };',
    '  readonly outputs: {',
    ...version.outputs.flatMap(tensorLines),
    '  };',
    ...(labels === undefined ? [] : [`  readonly labels: readonly [${labels}];`]),
    '}',
  ];
}

/** What a caller gives for a row of a field, and how an element of it is to be written. */
const FIELD_TYPES: Readonly<Record<string, { readonly type: string; readonly form: string }>> = {
  text: { type: 'string', form: 'text' },
  record: { type: 'Readonly<Record<string, PlainValue>>', form: 'an object' },
  image: { type: 'string', form: 'a picture file as data URL, base64 or URL' },
  audio: { type: 'string', form: 'a sound file as data URL, base64 or URL' },
  bytes: { type: 'string', form: 'bytes as data URL, base64 or URL' },
};

function inputLines(tensor: TensorView): string[] {
  const { name, field } = tensor;
  const known = field === undefined ? undefined : FIELD_TYPES[field.kind];
  if (known === undefined) return tensorLines(tensor);
  const { type, form } = known;
  const description = field?.description === undefined ? '' : `: ${commentText(field.description)}`;
  return [
    `    /** For one row ${form}, for several an array of them${description} */`,
    `    readonly ${key(name)}: ${type} | readonly ${type}[];`,
  ];
}

function tensorLines({ name, datatype, shape, mask_of: maskOf }: TensorView): string[] {
  const extents = shape.map((extent) => (extent === -1 ? 'number' : String(extent)));
  const optional = maskOf === undefined ? '' : '?';
  return [
    `    /** ${datatype} [${shape.map((extent) => (extent === -1 ? '?' : extent)).join(', ')}] */`,
    `    readonly ${key(name)}${optional}: Tensor<'${datatype}', readonly [${extents.join(', ')}]>;`,
  ];
}

/** On one line, and without an end of the comment in it. */
function commentText(text: string): string {
  return text.replaceAll('*/', '* /').replaceAll(/\s+/g, ' ');
}

/** A property's name, in quotes where it is no identifier. */
function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

/** `credit-risk` as `CreditRisk`; with a number where two models would have the same. */
function interfaceName(modelName: string, taken: Set<string>): string {
  const words = modelName.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  const joined = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  const base = /^[A-Za-z]/.test(joined) ? joined : `Model${joined}`;
  let name = base;
  for (let count = 2; taken.has(name); count++) name = `${base}${count}`;
  taken.add(name);
  return name;
}
