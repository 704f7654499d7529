import { type DeliveryData, deliveryDataSchema } from '@quern/queue';

/** The data of a delivery, in the words of people: never the whole URL, which may hold secrets. */
export function summarizeDelivery(data: unknown): unknown {
  const parsed = deliveryDataSchema.safeParse(data);
  if (!parsed.success) return 'not a delivery of a webhook';
  const { event, url, sinceMs, prediction } = parsed.data;
  return {
    event,
    receiver: receiverOf(url),
    prediction: prediction.id,
    model: `${prediction.model}:${prediction.version}`,
    status: prediction.status,
    since: new Date(sinceMs).toISOString(),
  };
}

/** A delivery's title: `completed digits:1 · https://hooks.example.com/quern`. */
export function deliveryTitle({ name = '', data }: { name?: string; data?: unknown }): string {
  const parsed = deliveryDataSchema.safeParse(data);
  return parsed.success ? `${name} · ${receiverOf(parsed.data.url)}` : name;
}

function receiverOf(url: DeliveryData['url']): string {
  if (!URL.canParse(url)) return 'no URL';
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
