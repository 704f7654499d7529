/** A duration as people read it: `0.4 ms`, `12 ms`, `3.2 s`. */
export function durationText(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${Number(ms.toFixed(1))} ms`;
}

/** A probability as people read it. */
export function percentText(probability: number): string {
  return `${(probability * 100).toFixed(1)} %`;
}

/** A rate or mean: whole above ten, with one digit below. */
export function rateText(value: number): string {
  return value >= 10 ? String(Math.round(value)) : String(Number(value.toFixed(1)));
}

/**
 * A tensor as a signature: `image  FP32 [?, 1, 8, 8]`, dynamic dimensions as `?`; a field with what its
 * elements are: `photo  BYTES [?] of image: one face`.
 */
export function tensorText(tensor: {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly field?: { readonly kind: string; readonly description?: string | undefined } | undefined;
}): string {
  const { name, datatype, field } = tensor;
  const shape = tensor.shape.map((extent) => (extent === -1 ? '?' : String(extent)));
  const about = field?.description === undefined ? '' : `: ${field.description}`;
  const elements = field === undefined ? '' : ` of ${field.kind}${about}`;
  return `${name}  ${datatype} [${shape.join(', ')}]${elements}`;
}
