import { z } from 'zod';
import { listText, setting } from './settings.ts';

const PREFIX = 'whsec_';
const MIN_BYTES = 24;
const MAX_BYTES = 64;

const EXPECTED = `expected secrets such as ${PREFIX} and the base64 of ${MIN_BYTES} to ${MAX_BYTES} random bytes, comma separated`;

/** What deliveries are signed with: read by who signs, and by the API, which tells receivers. */
export const webhookSecretSettings = {
  webhookSecrets: setting<readonly string[]>({
    variable: 'QUERN_WEBHOOK_SECRETS',
    schema: listText().pipe(
      z.array(z.string().refine(isWebhookSecret, { error: EXPECTED })).max(10, { error: EXPECTED }),
    ),
    fallback: [],
    meaning:
      'Secrets that webhooks are signed with (`whsec_...`), comma separated, the newest first. Deliveries carry a signature by each, so that receivers can change over. Unset: one is made and kept in Redis.',
    secret: true,
  }),
} as const;

/** Whether a text is a secret as Standard Webhooks has them. */
export function isWebhookSecret(text: string): boolean {
  if (!text.startsWith(PREFIX)) return false;
  const encoded = text.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64');
  const isExact = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  return isExact && bytes.byteLength >= MIN_BYTES && bytes.byteLength <= MAX_BYTES;
}
