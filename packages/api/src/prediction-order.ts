import { createHash } from 'node:crypto';
import {
  type CreatePrediction,
  fieldPath,
  type ModelInputs,
  parseModelInputs,
  show,
  splitBytesElements,
} from '@quern/contract';
import { type EgressRules, parseTargetUrl } from '@quern/egress';
import type { ModelTarget, Submission, WebhookOrder } from '@quern/queue';
import { invalidRequest } from './request-schema.ts';

const MAX_KEY_LENGTH = 255;

/** The submission that a create body asks for. */
export function submissionFrom(
  body: CreatePrediction,
  target: ModelTarget,
  id: string | undefined,
  webhook?: WebhookOrder,
): Submission {
  return {
    target,
    inputs: parseModelInputs(body.input, target.signature),
    priority: body.priority,
    ...(body.outputs !== undefined && { outputs: knownOutputs(body.outputs, target) }),
    ...(id !== undefined && { id }),
    ...(body.timeout_ms !== undefined && { timeoutMs: body.timeout_ms }),
    ...(body.metadata !== undefined && { metadata: body.metadata }),
    ...(webhook !== undefined && { webhook }),
  };
}

/**
 * Refuses URLs among the inputs that no worker would fetch.
 * @throws QuernError `INVALID_REQUEST` for a URL's form, `ADDRESS_REFUSED` by the rules
 */
export function assertReferences({ tensors, references }: ModelInputs, rules: EgressRules): void {
  for (const { input, element } of references ?? []) {
    const data = tensors.find(({ name }) => name === input)?.data;
    const url = data === undefined ? undefined : splitBytesElements(data)[element];
    const path = `${fieldPath('input', input)}[${element}]`;
    if (url !== undefined) parseTargetUrl(Buffer.from(url).toString(), rules, path);
  }
}

/** The outputs that a body names, each once, in the order of the signature. */
function knownOutputs(wanted: readonly string[], { signature }: ModelTarget): string[] {
  const all = signature.outputs.map(({ name }) => name);
  const unknown = wanted.findIndex((name) => !all.includes(name));
  if (unknown !== -1) {
    const problem = `got ${show(wanted[unknown])}, expected one of ${all.join(', ')}`;
    throw invalidRequest(`outputs[${unknown}]`, problem);
  }
  return all.filter((name) => wanted.includes(name));
}

/**
 * The id that an `Idempotency-Key` stands for: a digest of the key and of who sends it, so that two
 * callers with the same key do not meet.
 * @throws QuernError `INVALID_REQUEST` for an empty key or one of more than 255 characters
 */
export function idFromIdempotencyKey(key: string | undefined, caller: string): string | undefined {
  if (key === undefined) return undefined;
  if (key.length === 0 || key.length > MAX_KEY_LENGTH) {
    const problem = `got ${key.length} characters, expected 1 to ${MAX_KEY_LENGTH}`;
    throw invalidRequest('Idempotency-Key', problem);
  }
  const digest = createHash('sha256')
    .update(JSON.stringify([caller, key]))
    .digest('base64url');
  return `key-${digest}`;
}

/**
 * The model and version that a body names: `"model": "digits"` or `"version": "digits:2"`.
 * @throws QuernError `INVALID_REQUEST` unless it names exactly one of them
 */
export function namedTarget(body: {
  readonly model?: string | undefined;
  readonly version?: string | undefined;
}): { model: string; version?: string } {
  const { model, version } = body;
  if (model !== undefined && version === undefined) return { model };
  if (version === undefined) {
    throw invalidRequest('model', 'got nothing, expected "model" or "version" in the body');
  }
  if (model !== undefined) {
    throw invalidRequest('version', 'got "model" as well, expected one of them');
  }
  const colon = version.indexOf(':');
  if (colon < 0) {
    throw invalidRequest('version', `got ${show(version)}, expected "model:version"`);
  }
  return { model: version.slice(0, colon), version: version.slice(colon + 1) };
}
