import { MODEL_NAME_PATTERN, QuernError, show } from '@quern/contract';
import type {
  KnownModel,
  ModelTarget,
  PredictionQueue,
  Submission,
  Submitted,
  WaitOptions,
} from '@quern/queue';
import type { RequestContext } from './request-context.ts';
import type { RouteDeps } from './route-deps.ts';

/** A prediction that somebody asks for; its inputs are read once the model is known. */
export interface Order {
  readonly model: string;
  /** Absent for the model's default version. */
  readonly version?: string | undefined;
  readonly compose: (target: ModelTarget) => Submission;
  readonly wait?: WaitOptions | undefined;
}

/** A prediction in its queue, and what it was placed for. */
export interface Placed extends Submitted {
  readonly target: ModelTarget;
}

/**
 * Puts a prediction into its model's queue; the one way in for every protocol. Between
 * `context.submission` being set by a route and being cleared here, a fault counts as a refusal.
 */
export async function placeOrder(
  { queue, metrics }: RouteDeps,
  context: RequestContext,
  order: Order,
): Promise<Placed> {
  if (queue.registry.model(order.model) !== undefined) context.submission = { model: order.model };
  const target = await resolveTarget(queue, order.model, order.version);
  const submitted = await queue.submit(order.compose(target), order.wait);
  context.submission = undefined;
  if (submitted.created) metrics.accepted.inc({ model: target.model.name });
  return { ...submitted, target };
}

/**
 * The model and version to predict with.
 * @throws QuernError as `RegistryReader.resolve`; a name that no model can have never gets that far
 */
export async function resolveTarget(
  queue: PredictionQueue,
  model: string,
  version?: string,
): Promise<ModelTarget> {
  assertModelName(model);
  return queue.registry.resolve(model, version);
}

/**
 * A model as it stands, also if it cannot be used now.
 * @throws QuernError `MODEL_NOT_FOUND`
 */
export async function resolveKnown(queue: PredictionQueue, name: string): Promise<KnownModel> {
  assertModelName(name);
  return queue.registry.model(name) ?? (await queue.registry.resolve(name)).model;
}

/**
 * The known versions of a model, or the one named.
 * @throws QuernError `VERSION_NOT_FOUND`
 */
export function versionsOf(model: KnownModel, wanted: string | undefined): number[] {
  const known = model.versions.map(({ version }) => version);
  if (wanted === undefined) return known;
  const found = known.filter((version) => String(version) === wanted);
  if (found.length > 0) return found;
  throw new QuernError(
    'VERSION_NOT_FOUND',
    `version: got ${show(wanted)}, expected one of ${known.join(', ')}`,
  );
}

function assertModelName(name: string): void {
  if (MODEL_NAME_PATTERN.test(name)) return;
  const expected = 'expected 1 to 64 of A-Z a-z 0-9 _ . - that begin with a letter or digit';
  throw new QuernError('MODEL_NOT_FOUND', `model: got ${show(name)}, ${expected}`);
}
