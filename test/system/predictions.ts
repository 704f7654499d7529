import type { WirePrediction } from '@quern/contract';
import { eventually, type TestStack } from '@quern/testkit';

export interface Refusal {
  readonly error: { readonly code: string; readonly message: string };
}

/** What calls an API; a `TestStack` is one. */
export type ApiCaller = Pick<TestStack, 'get' | 'post'>;

/** What goes with the input: `priority`, `timeout_ms`, `id`. */
type CreateOptions = Readonly<Record<string, unknown>>;

/** Posts a prediction that must be accepted, and returns its id. */
export async function submit(
  stack: ApiCaller,
  model: string,
  input: unknown,
  options: CreateOptions = {},
): Promise<string> {
  const response = await stack.post(`/v1/models/${model}/predictions`, { input, ...options });
  const body: unknown = await response.json();
  if (response.status !== 202) throw new Error(`got ${response.status}: ${JSON.stringify(body)}`);
  return (body as WirePrediction).id;
}

export async function read(stack: ApiCaller, id: string): Promise<WirePrediction> {
  return (await stack.get(`/v1/predictions/${id}`)) as WirePrediction;
}

/** Asks for cancellation; returns the prediction as the answer shows it. */
export async function cancel(stack: ApiCaller, id: string): Promise<WirePrediction> {
  const response = await stack.post(`/v1/predictions/${id}/cancel`, {});
  return (await response.json()) as WirePrediction;
}

export async function untilStatus(
  stack: ApiCaller,
  id: string,
  status: WirePrediction['status'],
): Promise<WirePrediction> {
  return eventually(async () => {
    const prediction = await read(stack, id);
    if (prediction.status !== status) throw new Error(`${id} is ${prediction.status}`);
    return prediction;
  }, 30_000);
}
