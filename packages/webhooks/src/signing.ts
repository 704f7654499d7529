import { Webhook } from 'standardwebhooks';

/** Makes the headers of one attempt, after Standard Webhooks 1.0. */
export type Signer = (id: string, sentAt: Date, body: string) => Record<string, string>;

/**
 * Signs with every secret, so that receivers may know any of them.
 * @param secrets `whsec_...`, the newest first
 */
export function signerWith(secrets: readonly string[]): Signer {
  const keys = secrets.map((secret) => new Webhook(secret));
  return (id, sentAt, body) => ({
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
    'webhook-signature': keys.map((key) => key.sign(id, sentAt, body)).join(' '),
  });
}
