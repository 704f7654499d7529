import { egressSettings } from '@quern/egress';
import {
  blobSettings,
  integerText,
  listText,
  lockSettings,
  portText,
  type SettingValues,
  setting,
  sharedSettings,
  webhookSecretSettings,
} from '@quern/service';
import { z } from 'zod';
import { readDuration } from './retry-schedule.ts';

const { redisUrl, redisWaitMs, logLevel, shutdownGraceMs } = sharedSettings;

/** What the webhooks process reads from its environment. */
export const webhooksSettings = {
  ...blobSettings,
  redisUrl,
  redisWaitMs,
  logLevel,
  shutdownGraceMs,
  ...lockSettings,
  ...egressSettings,
  ...webhookSecretSettings,
  port: setting({
    variable: 'QUERN_WEBHOOKS_PORT',
    schema: portText(),
    fallback: 8083,
    meaning: 'Port for health and metrics of the webhooks process; 0 takes a free one.',
  }),
  webhooksHost: setting({
    variable: 'QUERN_WEBHOOKS_HOST',
    schema: z.string(),
    fallback: '127.0.0.1',
    meaning:
      'Address for health and metrics of the webhooks process; they tell no secrets and take no input.',
  }),
  payload: setting<'full' | 'thin'>({
    variable: 'QUERN_WEBHOOK_PAYLOAD',
    schema: z.string().pipe(z.enum(['full', 'thin'], { error: 'expected full or thin' })),
    fallback: 'full',
    meaning:
      'What a webhook gets: `full`, the prediction object as Replicate sends it, or `thin`, an event that only names it.',
  }),
  maxBodyBytes: setting({
    variable: 'QUERN_WEBHOOK_MAX_BYTES',
    schema: integerText(1000, 10_000_000),
    fallback: 20_000,
    meaning:
      'Webhooks whose body would be larger are sent without the output, which `urls.get` has.',
  }),
  schedule: setting<readonly string[]>({
    variable: 'QUERN_WEBHOOK_SCHEDULE',
    schema: listText().pipe(
      z
        .array(
          z.string().refine((text) => readDuration(text) !== undefined, {
            error: 'expected pauses such as 5s,5m,2h, comma separated',
          }),
        )
        .max(50, { error: 'expected at most 50 pauses' }),
    ),
    fallback: ['5s', '5m', '30m', '2h', '5h', '10h', '14h', '20h', '24h'],
    meaning:
      'Pauses between the attempts to deliver a webhook, comma separated; after the last attempt it is a dead letter.',
  }),
  timeoutMs: setting({
    variable: 'QUERN_WEBHOOK_TIMEOUT_MS',
    schema: integerText(100, 120_000),
    fallback: 15_000,
    meaning: 'How long one attempt to deliver a webhook may take.',
  }),
  concurrency: setting({
    variable: 'QUERN_WEBHOOK_CONCURRENCY',
    schema: integerText(1, 1000),
    fallback: 128,
    meaning: 'Webhooks that a process delivers at a time.',
  }),
  concurrencyPerOrigin: setting({
    variable: 'QUERN_WEBHOOK_CONCURRENCY_PER_ORIGIN',
    schema: integerText(1, 1000),
    fallback: 8,
    meaning: 'Of these, at most so many to one receiver (scheme, host and port).',
  }),
} as const;

export type WebhooksSettings = SettingValues<typeof webhooksSettings>;
