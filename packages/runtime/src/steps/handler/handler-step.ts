import {
  DATATYPES,
  FIELD_KINDS,
  type FieldKind,
  invalidInput,
  show,
  type TensorSpec,
} from '@quern/contract';
import { namedInput } from '../session-input.ts';
import type { PostprocessContext, PostprocessStep, PreprocessStep, StepContext } from '../step.ts';
import type { HandlerConfig } from './handler-config.ts';
import type { FieldValue, MadeTensors, OutputSpec } from './handler-module.ts';
import { fromHandlerTensor, toHandlerTensor } from './handler-tensor.ts';
import { loadHandlerModule } from './load-handler-module.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Loads the hook `preprocess` of a model's own module.
 * @throws QuernError `CONFIG_INVALID` if what it declares does not fit the session
 */
export async function loadHandlerPreprocess(
  config: HandlerConfig,
  context: StepContext,
): Promise<PreprocessStep> {
  const { module, state } = await loadHandlerModule(config, context, 'preprocess');
  const { preprocess: hook } = module;
  const declared = Object.entries(hook?.fields ?? {});
  for (const [name, kind] of declared) {
    if (FIELD_KINDS.includes(kind)) continue;
    const expected = `expected one of ${FIELD_KINDS.join(', ')}`;
    throw context.problem('module', `preprocess.fields.${name}: got ${show(kind)}, ${expected}`);
  }
  const produces = (hook?.inputs ?? []).map((name) => namedInput(context, 'module', name));
  if (declared.length === 0 || produces.length === 0) {
    throw context.problem('module', 'preprocess names no fields, or no inputs that it makes');
  }
  return {
    name: 'handler',
    fields: declared.map(([name, kind]) => ({ name, field: { kind } })),
    produces,
    run: async (elements) => {
      const fields = declared.map(([name, kind], index) => [
        name,
        (elements[index] ?? []).map((element, row) => fieldValue(element, kind, `${name}[${row}]`)),
      ]);
      const made = await hook?.run(Object.fromEntries(fields), state);
      return tensorsOf(made, produces);
    },
  };
}

/**
 * Loads the hook `postprocess` of a model's own module.
 * @throws QuernError `CONFIG_INVALID` if it declares no outputs
 */
export async function loadHandlerPostprocess(
  config: HandlerConfig,
  context: PostprocessContext,
): Promise<PostprocessStep> {
  const { module, state } = await loadHandlerModule(config, context, 'postprocess');
  const { postprocess: hook } = module;
  const outputs = Object.entries(hook?.outputs ?? {}).map(([name, spec]) =>
    outputSpec(name, spec, context),
  );
  if (outputs.length === 0) throw context.problem('module', 'postprocess names no outputs');
  return {
    name: 'handler',
    outputs,
    run: async (tensors) => {
      const read = tensors.map((tensor) => [tensor.name, toHandlerTensor(tensor)]);
      return tensorsOf(await hook?.run(Object.fromEntries(read), state), outputs);
    },
  };
}

function fieldValue(element: Uint8Array, kind: FieldKind, path: string): FieldValue {
  if (kind !== 'text' && kind !== 'record') return element;
  try {
    const text = utf8.decode(element);
    return kind === 'text' ? text : (JSON.parse(text) as Record<string, unknown>);
  } catch (error) {
    throw invalidInput(path, error instanceof Error ? error.message : String(error));
  }
}

function tensorsOf(made: MadeTensors | undefined, specs: readonly TensorSpec[]) {
  return specs.map(({ name, datatype }) => fromHandlerTensor(name, datatype, made?.[name]));
}

function outputSpec(name: string, spec: OutputSpec, { problem }: PostprocessContext): TensorSpec {
  const { datatype, shape } = spec;
  const isShape = Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent));
  if (isShape && DATATYPES.includes(datatype)) return { name, datatype, shape: [...shape] };
  const expected = 'expected a datatype such as FP32 and a shape such as [-1, 10]';
  throw problem('module', `postprocess.outputs.${name}: got ${show(spec)}, ${expected}`);
}
