import {
  batchAxisOf,
  formatShape,
  type ModelSignature,
  type QuernError,
  type TensorSpec,
} from '@quern/contract';
import type { PreprocessStep } from './step.ts';

/** A loaded step, and what makes an error at its place in `model.yaml`. */
export interface PlacedStep<Step> {
  readonly step: Step;
  readonly problem: (key: string, message: string) => QuernError;
}

/**
 * What callers see of a model with steps: the fields instead of the session inputs that steps make, and
 * the outputs behind the last step. Lengths of what steps make are not known outside, so padding is the
 * runner's own business then.
 * @throws QuernError `CONFIG_INVALID` if steps do not fit the session or one another
 */
export function outerSignature(
  session: ModelSignature,
  preprocess: readonly PlacedStep<PreprocessStep>[],
  outputs: readonly TensorSpec[],
): ModelSignature {
  if (preprocess.length === 0) return { ...session, outputs: [...outputs] };
  const made = new Map<string, string>();
  const fields: TensorSpec[] = [];
  for (const { step, problem } of preprocess) {
    for (const spec of step.produces) {
      const maker = made.get(spec.name);
      if (maker !== undefined) throw problem('', `${spec.name} is made by ${maker} already`);
      assertFits(spec, session, problem);
      made.set(spec.name, step.name);
    }
    for (const { name, field } of step.fields) {
      if (fields.some((other) => other.name === name)) {
        throw problem('field', `${name} is the field of another step already`);
      }
      fields.push({ name, datatype: 'BYTES', shape: [rowsOf(step, session)], field });
    }
  }
  const rest = session.inputs.filter(
    ({ name, maskOf }) => !made.has(name) && !made.has(maskOf ?? ''),
  );
  for (const { name } of rest) {
    const index = fields.findIndex((field) => field.name === name);
    if (index === -1) continue;
    const place = preprocess.find(({ step }) => step.fields.some((field) => field.name === name));
    throw place?.problem('field', `${name} is an input of the model that no step makes`);
  }
  const { padding: _, ...plain } = session;
  return { ...plain, inputs: [...fields, ...rest], outputs: [...outputs] };
}

/** The extent of a field: what the batch axis of the session input has that is made of it. */
function rowsOf({ produces }: PreprocessStep, session: ModelSignature): number {
  if (session.batchable) return -1;
  const spec = session.inputs.find(({ name }) => name === produces[0]?.name);
  const axis = spec === undefined ? null : batchAxisOf(spec);
  return axis === null ? 1 : (spec?.shape[axis] ?? 1);
}

function assertFits(
  made: TensorSpec,
  session: ModelSignature,
  problem: PlacedStep<unknown>['problem'],
): void {
  const spec = session.inputs.find(({ name }) => name === made.name);
  if (spec === undefined) {
    const known = session.inputs.map(({ name }) => name).join(', ');
    throw problem('', `makes ${made.name}, which the model does not take; it takes ${known}`);
  }
  const fits =
    made.datatype === spec.datatype &&
    made.shape.length === spec.shape.length &&
    made.shape.every((extent, axis) => {
      const wanted = spec.shape[axis] ?? -1;
      return extent === -1 || wanted === -1 || extent === wanted || isRows(spec, axis);
    });
  if (fits) return;
  const [got, expected] = [made, spec].map(
    ({ datatype, shape }) => `${datatype} ${formatShape(shape)}`,
  );
  throw problem('', `makes ${made.name} as ${got}, but the model takes ${expected}`);
}

function isRows(spec: TensorSpec, axis: number): boolean {
  return batchAxisOf(spec) === axis;
}
