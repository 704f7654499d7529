import {
  type AxisReference,
  batchAxisOf,
  type CutBack,
  formatShape,
  type PaddedAxis,
  type Padding,
  scalarBytes,
  type TensorSpec,
  toQuernError,
} from '@quern/contract';
import { configProblem } from '../repository/config-positions.ts';
import type { RunnerModel } from '../runner/runner-model.ts';
import type { GraphSignature, GraphTensor } from './read-signature.ts';

/** What model.yaml says about padding, checked against the model. */
export interface ResolvedPadding {
  /** Undefined if nothing is padded. */
  readonly padding: Padding | undefined;
  /** For each mask that callers may leave out, the input that it masks. */
  readonly maskOf: ReadonlyMap<string, string>;
  /** For people: lengths that probably change with a padded one, and of which model.yaml says nothing. */
  readonly warnings: readonly string[];
}

/**
 * Checks padding, masks and cut-backs of model.yaml against the graph. A mask is padded with 0 wherever
 * the input that it masks is padded, unless model.yaml says otherwise.
 * @throws QuernError `CONFIG_INVALID` with the key and its line
 */
export function resolvePadding(graph: GraphSignature, model: RunnerModel): ResolvedPadding {
  const config = new PaddingConfig(graph, model);
  const declared = graph.inputs.flatMap((input) => config.paddedAxes(input));
  const maskOf = config.masks();
  const axes = [...declared, ...maskAxes(maskOf, declared)];
  const cutBack = graph.outputs.flatMap((output) => config.cuts(output, axes));
  config.assertLikes(axes);
  if (axes.length === 0) return { padding: undefined, maskOf, warnings: [] };
  return { padding: { axes, cutBack }, maskOf, warnings: forgottenAxes(graph, axes, cutBack) };
}

/** Reads the keys of model.yaml that are about lengths, each with an error that says where it stands. */
class PaddingConfig {
  readonly #graph: GraphSignature;
  readonly #model: RunnerModel;

  constructor(graph: GraphSignature, model: RunnerModel) {
    this.#graph = graph;
    this.#model = model;
  }

  paddedAxes({ spec }: GraphTensor): PaddedAxis[] {
    const { padding = {} } = this.#model.inputs[spec.name] ?? {};
    return Object.entries(padding).map(([name, { buckets, max, like, value }]): PaddedAxis => {
      const axis = Number(name);
      const key = `inputs.${spec.name}.padding.${name}`;
      this.#assertDynamic(spec, axis, key);
      const added = value ?? (spec.datatype === 'BYTES' ? '' : 0);
      this.#assertValue(added, spec, key);
      return {
        input: spec.name,
        axis,
        value: added,
        ...(buckets !== undefined && { buckets }),
        ...(max !== undefined && { max }),
        ...(like !== undefined && { like: this.#reference(like, `${key}.like`) }),
      };
    });
  }

  masks(): Map<string, string> {
    const masks = new Map<string, string>();
    for (const { spec } of this.#graph.inputs) {
      const { maskOf } = this.#model.inputs[spec.name] ?? {};
      if (maskOf === undefined) continue;
      this.#assertMask(spec, maskOf);
      masks.set(spec.name, maskOf);
    }
    return masks;
  }

  cuts({ spec }: GraphTensor, axes: readonly PaddedAxis[]): CutBack[] {
    const { cutBack = {} } = this.#model.outputs?.[spec.name] ?? {};
    return Object.entries(cutBack).map(([name, { like, ratio, round }]): CutBack => {
      const axis = Number(name);
      const key = `outputs.${spec.name}.cutBack.${name}`;
      // An output of unknown rank has no dimensions: the warm-up tells.
      if (spec.shape.length > 0) this.#assertDynamic(spec, axis, key);
      const followed = this.#reference(like, `${key}.like`);
      if (!axes.some((padded) => isAxis(padded, followed))) {
        this.#fail(`${key}.like`, `got ${like}, expected an axis that inputs.*.padding pads`);
      }
      return { output: spec.name, axis, like: followed, ratio, round };
    });
  }

  /** An axis may be like one with buckets only: one step, so no circles. */
  assertLikes(axes: readonly PaddedAxis[]): void {
    for (const { input, axis, like } of axes) {
      if (like === undefined) continue;
      const other = axes.find((padded) => isAxis(padded, like));
      if (other?.buckets === undefined) {
        const key = `inputs.${input}.padding.${axis}.like`;
        this.#fail(key, `got ${show(like)}, expected an axis with buckets of its own`);
      }
    }
  }

  #assertMask(spec: TensorSpec, maskOf: string): void {
    const key = `inputs.${spec.name}.maskOf`;
    const masked = this.#input(maskOf);
    if (masked === undefined || maskOf === spec.name || this.#isMask(maskOf)) {
      const others = this.#graph.inputs.map((input) => input.spec.name);
      const known = others.filter((name) => name !== spec.name && !this.#isMask(name));
      this.#fail(key, `got ${maskOf}, expected an input that is no mask: ${known.join(', ')}`);
    }
    const isAlike =
      masked.shape.length === spec.shape.length &&
      batchAxisOf(masked) === batchAxisOf(spec) &&
      spec.shape.every((extent, axis) => extent === -1 || extent === masked.shape[axis]);
    if (!isAlike) {
      this.#fail(
        key,
        `the mask is ${formatShape(spec.shape)} and ${maskOf} ${formatShape(masked.shape)}, expected equal shapes; leave maskOf out and have the callers send it`,
      );
    }
    this.#assertValue(1, spec, key);
  }

  #isMask(name: string): boolean {
    return this.#model.inputs[name]?.maskOf !== undefined;
  }

  #assertDynamic(spec: TensorSpec, axis: number, key: string): void {
    const extent = spec.shape[axis];
    const shape = formatShape(spec.shape);
    if (extent === undefined) {
      this.#fail(key, `${spec.name} is ${shape}, expected an axis of it, counted from 0`);
    }
    if (axis === batchAxisOf(spec)) {
      this.#fail(
        key,
        `axis ${axis} of ${spec.name} counts rows, expected another axis of ${shape}`,
      );
    }
    if (extent !== -1) {
      this.#fail(key, `axis ${axis} of ${spec.name} is fixed at ${extent}, expected a dynamic one`);
    }
  }

  #assertValue(value: PaddedAxis['value'], spec: TensorSpec, key: string): void {
    try {
      scalarBytes(value, spec.datatype, 'value');
    } catch (error) {
      this.#fail(key, toQuernError(error).message);
    }
  }

  /** `input_ids.1` as what it means. */
  #reference(text: string, key: string): AxisReference {
    const dot = text.lastIndexOf('.');
    const reference = { input: text.slice(0, dot), axis: Number(text.slice(dot + 1)) };
    const rank = this.#input(reference.input)?.shape.length;
    if (rank === undefined) {
      const known = this.#graph.inputs.map(({ spec }) => spec.name).join(', ');
      this.#fail(key, `got ${text}, but the model has no input ${reference.input}: ${known}`);
    }
    if (reference.axis >= rank) {
      this.#fail(key, `got ${text}, but ${reference.input} has ${rank} axes, counted from 0`);
    }
    return reference;
  }

  #input(name: string): TensorSpec | undefined {
    return this.#graph.inputs.find(({ spec }) => spec.name === name)?.spec;
  }

  #fail(key: string, problem: string): never {
    throw configProblem(this.#model.configPositions, key, problem);
  }
}

/** The axes of masks, wherever what they mask is padded and model.yaml does not say otherwise. */
function maskAxes(
  maskOf: ReadonlyMap<string, string>,
  declared: readonly PaddedAxis[],
): PaddedAxis[] {
  return [...maskOf].flatMap(([mask, masked]) =>
    declared
      .filter(({ input }) => input === masked)
      .filter(({ axis }) => !declared.some((own) => isAxis(own, { input: mask, axis })))
      .map(({ axis, like }) => ({
        input: mask,
        axis,
        value: 0,
        like: like ?? { input: masked, axis },
      })),
  );
}

/** Dimensions that the file names like a padded one, so that their lengths should change with it. */
function forgottenAxes(
  graph: GraphSignature,
  axes: readonly PaddedAxis[],
  cuts: readonly CutBack[],
): string[] {
  const padded = new Map<string, AxisReference>();
  for (const { input, axis } of axes) {
    const name = graph.inputs.find(({ spec }) => spec.name === input)?.dimensions[axis];
    if (typeof name === 'string' && name !== '' && !padded.has(name)) {
      padded.set(name, { input, axis });
    }
  }
  const missing = (tensors: readonly GraphTensor[], isKnown: (ref: AxisReference) => boolean) =>
    tensors.flatMap(({ spec, dimensions }) =>
      dimensions.flatMap((name, axis) => {
        const like = typeof name === 'string' ? padded.get(name) : undefined;
        if (like === undefined || isKnown({ input: spec.name, axis })) return [];
        return [{ name: spec.name, axis, like }];
      }),
    );
  const inputs = missing(graph.inputs, (ref) => axes.some((known) => isAxis(known, ref)));
  const outputs = missing(graph.outputs, ({ input, axis }) =>
    cuts.some((cut) => cut.output === input && cut.axis === axis),
  );
  return [
    ...inputs.map(
      ({ name, axis, like }) =>
        `axis ${axis} of input ${name} has the length of ${show(like)}, which is padded, and is not; say in model.yaml: inputs: {${name}: {padding: {${axis}: {like: ${show(like)}}}}}`,
    ),
    ...outputs.map(
      ({ name, axis, like }) =>
        `axis ${axis} of output ${name} has the length of ${show(like)}, which is padded, and is not cut back; say in model.yaml: outputs: {${name}: {cutBack: {${axis}: {like: ${show(like)}}}}}`,
    ),
  ];
}

function isAxis(padded: AxisReference, reference: AxisReference): boolean {
  return padded.input === reference.input && padded.axis === reference.axis;
}

function show({ input, axis }: AxisReference): string {
  return `${input}.${axis}`;
}
