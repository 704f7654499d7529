import type { ApiClient } from '../api-client.ts';
import { jsonText } from '../output/json-text.ts';
import { tableText } from '../output/table.ts';
import type { Screen } from '../terminal.ts';
import type { DeliveryList, DeliveryView } from './delivery-view.ts';

const HEADING = ['ID', 'STATE', 'PREDICTION', 'RECEIVER', 'FAILED', 'NEXT ATTEMPT', 'REASON'];

export interface WebhooksOptions {
  readonly client: ApiClient;
  readonly screen: Screen;
  /** Print what the API says. */
  readonly json: boolean;
}

/** Prints deliveries of one state. */
export async function listDeliveries(
  query: { readonly state: string; readonly host?: string | undefined; readonly limit: number },
  { client, screen, json }: WebhooksOptions,
): Promise<void> {
  const view = await client.deliveries(query);
  screen.write(`${json ? jsonText(view) : listText(view, query.state)}\n`);
}

function listText({ results }: DeliveryList, state: string): string {
  if (results.length === 0) return `No delivery is ${state}.`;
  const rows = results.map((delivery) => [
    delivery.id,
    delivery.state,
    delivery.prediction.id,
    delivery.url,
    String(delivery.failed_attempts),
    delivery.next_attempt_at ?? '-',
    delivery.reason ?? '',
  ]);
  return tableText(HEADING, rows);
}

/** Prints a delivery and what was tried. */
export async function showDelivery(
  id: string,
  { client, screen, json }: WebhooksOptions,
): Promise<void> {
  const view = await client.delivery(id);
  screen.write(`${json ? jsonText(view) : deliveryText(view)}\n`);
}

function deliveryText(delivery: DeliveryView): string {
  const { event, prediction, state, url, log = [] } = delivery;
  const lines = [
    `${delivery.id}: ${state}`,
    `  tells ${url}`,
    `  of ${prediction.id}: ${event} (${prediction.status})`,
    ...(delivery.next_attempt_at === null ? [] : [`  next attempt ${delivery.next_attempt_at}`]),
    ...log.map((line) => `  ${line}`),
  ];
  return lines.join('\n');
}

/** Delivers one again. */
export async function replayOne(
  id: string,
  { client, screen, json }: WebhooksOptions,
): Promise<void> {
  const view = await client.replayDelivery(id);
  screen.write(json ? `${jsonText(view)}\n` : `${id} is delivered again to ${view.url}.\n`);
}

/** Delivers every dead letter again, or those to one host. */
export async function replayAll(
  host: string | undefined,
  { client, screen, json }: WebhooksOptions,
): Promise<void> {
  const view = await client.replayDeliveries(host);
  screen.write(json ? `${jsonText(view)}\n` : `${view.replayed} replayed.\n`);
}
