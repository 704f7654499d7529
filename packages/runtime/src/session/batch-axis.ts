import type { GraphSignature, GraphTensor } from './read-signature.ts';

/**
 * Why rows of several predictions cannot be stacked on axis 0, going by the file alone; undefined if
 * they can. Whether the model keeps what its file says shows the warm-up.
 */
export function whyNotBatchable(graph: GraphSignature): string | undefined {
  if (graph.inputs.length === 0) return 'the model has no inputs';
  const names = batchNames(graph);
  for (const { spec, dimensions } of graph.inputs) {
    if (dimensions.length === 0) return `input ${spec.name} is a scalar`;
    if (dimensions[0] === 1) {
      return `input ${spec.name} is exported for a batch of 1; export it with a dynamic first dimension`;
    }
    if (typeof dimensions[0] === 'number') {
      return `the first dimension of input ${spec.name} is fixed at ${dimensions[0]}; export it as dynamic`;
    }
    if (dimensions.slice(1).some((name) => typeof name === 'string' && names.has(name))) {
      return `input ${spec.name} has its batch dimension on another axis than the first`;
    }
  }
  return graph.outputs.map(fixedOutput).find((reason) => reason !== undefined);
}

/** The names of the dynamic dimensions that count rows: those of the first axes. */
export function batchNames(graph: GraphSignature): Set<string> {
  const names = graph.inputs.map(({ dimensions }) => dimensions[0]);
  return new Set(names.filter((name) => typeof name === 'string').filter((name) => name !== ''));
}

function fixedOutput({ spec, dimensions }: GraphTensor): string | undefined {
  // An output of unknown rank has no dimensions either; the warm-up tells it from a scalar.
  if (typeof dimensions[0] === 'number') {
    return `the first dimension of output ${spec.name} is fixed at ${dimensions[0]}`;
  }
  return undefined;
}
