import type { Datatype, TensorSpec } from '@quern/contract';
import { nearestName } from '../repository/nearest-name.ts';
import type { StepContext } from './step.ts';

/**
 * The session input that a step's setting names.
 * @param name if undefined, the session's only input is meant
 * @throws QuernError `CONFIG_INVALID` at the setting
 */
export function namedInput(
  { sessionInputs, problem }: StepContext,
  key: string,
  name: string | undefined,
): TensorSpec {
  const known = sessionInputs.map((input) => input.name);
  if (name === undefined) {
    const [only, ...others] = sessionInputs;
    if (only !== undefined && others.length === 0) return only;
    throw problem(key, `expected the name of the input to make, one of ${known.join(', ')}`);
  }
  const found = sessionInputs.find((input) => input.name === name);
  if (found !== undefined) return found;
  const nearest = nearestName(name, known);
  const hint = nearest === undefined ? `it has ${known.join(', ')}` : `did you mean ${nearest}?`;
  throw problem(key, `the model has no input ${name}; ${hint}`);
}

/**
 * The datatype of an input, if it is one of those that a step can make.
 * @throws QuernError `CONFIG_INVALID` at the setting
 */
export function datatypeAmong<T extends Datatype>(
  { name, datatype }: TensorSpec,
  allowed: readonly T[],
  { problem }: StepContext,
  key: string,
): T {
  const found = allowed.find((candidate) => candidate === datatype);
  if (found !== undefined) return found;
  throw problem(key, `makes ${allowed.join(', ')}, but the input ${name} is ${datatype}`);
}
