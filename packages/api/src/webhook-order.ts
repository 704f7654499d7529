import type { CreatePrediction } from '@quern/contract';
import { type EgressRules, parseTargetUrl } from '@quern/egress';
import type { WebhookOrder } from '@quern/queue';

/**
 * The webhook that a create body asks for.
 * @param baseUrl of the links in what is sent
 * @throws QuernError `INVALID_REQUEST` for the URL's form, `ADDRESS_REFUSED` for an address that may not
 *   be called; what its name resolves to is looked at with every call
 */
export function webhookFrom(
  { webhook, webhook_events_filter: events }: CreatePrediction,
  rules: EgressRules,
  baseUrl: string,
): WebhookOrder | undefined {
  if (webhook === undefined) return undefined;
  const url = parseTargetUrl(webhook, rules, 'webhook');
  return { url: url.href, baseUrl, ...(events !== undefined && { events }) };
}
