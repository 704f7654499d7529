import { batchAxisOf } from '@quern/contract';
import type { GraphSignature, GraphTensor } from './read-signature.ts';

/**
 * Why rows of several predictions cannot be stacked on the batch axes, going by the file and
 * model.yaml alone; undefined if they can. Whether the model keeps what its file says shows the warm-up.
 */
export function whyNotBatchable(graph: GraphSignature): string | undefined {
  if (graph.inputs.length === 0) return 'the model has no inputs';
  if (graph.inputs.every(({ spec }) => batchAxisOf(spec) === null)) {
    return 'model.yaml gives no input a batch axis';
  }
  const names = batchNames(graph);
  for (const input of graph.inputs) {
    const reason = fixedInput(input, names, graph);
    if (reason !== undefined) return reason;
  }
  return graph.outputs.map(fixedOutput).find((reason) => reason !== undefined);
}

/** The names of the dynamic dimensions that count rows: those of the batch axes. */
export function batchNames(graph: GraphSignature): Set<string> {
  const names = graph.inputs.map(batchDimension);
  return new Set(names.filter((name) => typeof name === 'string').filter((name) => name !== ''));
}

/** The extent or name of a tensor's batch axis; undefined without one. */
function batchDimension({ spec, dimensions }: GraphTensor): number | string | undefined {
  const axis = batchAxisOf(spec);
  return axis === null ? undefined : dimensions[axis];
}

function fixedInput(
  input: GraphTensor,
  names: ReadonlySet<string>,
  graph: GraphSignature,
): string | undefined {
  const { spec, dimensions } = input;
  const axis = batchAxisOf(spec);
  const elsewhere = dimensions.findIndex(
    (name, at) => at !== axis && typeof name === 'string' && names.has(name),
  );
  if (elsewhere !== -1) {
    return `input ${spec.name} has its batch dimension on axis ${elsewhere}, expected axis ${axis ?? 'none'}; say so in model.yaml: inputs: {${spec.name}: {batchAxis: ${elsewhere}}}`;
  }
  if (axis === null) return undefined;
  if (dimensions.length === 0) {
    return `input ${spec.name} is a scalar; if one value holds for a whole batch, say so in model.yaml: inputs: {${spec.name}: {batchAxis: none}}`;
  }
  const extent = dimensions[axis];
  if (typeof extent !== 'number') return undefined;
  const where = axis === 0 ? 'the first dimension' : `dimension ${axis}`;
  const fixed =
    extent === 1
      ? `input ${spec.name} is exported for a batch of 1`
      : `${where} of input ${spec.name} is fixed at ${extent}`;
  return `${fixed}; ${howToExport(graph)}`;
}

/** What to change in the export, in the words of the exporters that most models come from. */
function howToExport({ inputs, outputs }: GraphSignature): string {
  const axes = [...inputs, ...outputs].flatMap(({ spec }) => {
    const axis = batchAxisOf(spec);
    return axis === null ? [] : [`${JSON.stringify(spec.name)}: {${axis}: "batch"}`];
  });
  return `export it with a dynamic first dimension: torch.onnx.export(..., dynamic_axes={${axes.join(', ')}}), tf2onnx with a batch of None in the input signature, skl2onnx with FloatTensorType([None, ...])`;
}

function fixedOutput({ spec, dimensions }: GraphTensor): string | undefined {
  const axis = batchAxisOf(spec);
  // An output of unknown rank has no dimensions either; the warm-up tells it from a scalar.
  const extent = axis === null ? undefined : dimensions[axis];
  if (typeof extent !== 'number') return undefined;
  const where = axis === 0 ? 'the first dimension' : `dimension ${axis}`;
  return `${where} of output ${spec.name} is fixed at ${extent}; if all rows share it, say so in model.yaml: outputs: {${spec.name}: {batchAxis: none}}`;
}
