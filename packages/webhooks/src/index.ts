export { type WebhooksSettings, webhooksSettings } from './settings.ts';
export { createWebhookMetrics } from './webhook-metrics.ts';
export { startWebhooks, type WebhooksParts } from './webhooks-service.ts';
