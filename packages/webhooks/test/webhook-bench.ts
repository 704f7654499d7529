import { parseAllowRule } from '@quern/egress';
import type { PredictionQueue } from '@quern/queue';
import { createLogger, createMetricsRegistry, Lifecycle, readSettings } from '@quern/service';
import { TestRedis } from '@quern/testkit';
import { submissionTo, Workbench } from '../../queue/test/workbench.ts';
import { startWebhooks, type WebhooksSettings, webhooksSettings } from '../src/index.ts';
import { type Answer, Receiver } from './receiver.ts';

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

const quiet = createLogger({ name: 'webhooks', level: 'fatal', pretty: false });

/** Webhooks in this process: a Redis, producers and workers of predictions, receivers. */
export class WebhookBench {
  readonly server: TestRedis;
  readonly bench: Workbench;
  readonly queue: PredictionQueue;
  readonly #closers: (() => Promise<void>)[] = [];

  private constructor(server: TestRedis, bench: Workbench, queue: PredictionQueue) {
    this.server = server;
    this.bench = bench;
    this.queue = queue;
  }

  static async open(): Promise<WebhookBench> {
    const server = await TestRedis.start();
    const bench = await Workbench.open(server.url);
    return new WebhookBench(server, bench, await bench.producer());
  }

  /** Starts a process's worth of webhooks; by default it may call the loopback. */
  async webhooks(
    settings: Partial<WebhooksSettings> = {},
  ): Promise<{ readonly port: number; readonly stop: () => Promise<void> }> {
    const lifecycle = new Lifecycle(quiet);
    const close = (): Promise<void> => lifecycle.close();
    this.#closers.push(close);
    const { port } = await startWebhooks(
      {
        settings: {
          ...readSettings(webhooksSettings, {}),
          redisUrl: this.server.url,
          port: 0,
          egressAllow: [loopback()],
          webhookSecrets: [SECRET],
          ...settings,
        },
        logger: quiet,
        metrics: createMetricsRegistry('webhooks'),
      },
      lifecycle,
    );
    return { port, stop: close };
  }

  async receiver(answer?: Answer): Promise<Receiver> {
    const receiver = await Receiver.start(answer);
    this.#closers.push(receiver.close);
    return receiver;
  }

  /** Submits a prediction of a model of its own that tells `url`; nobody runs it yet. */
  async order(
    model: string,
    url: string,
    options: { readonly events?: ('start' | 'completed')[]; readonly timeoutMs?: number } = {},
  ): Promise<string> {
    const { events, timeoutMs } = options;
    const target =
      this.queue.registry.model(model) === undefined
        ? await this.bench.serve(this.queue, model)
        : await this.queue.registry.resolve(model);
    const webhook = { url, baseUrl: 'https://quern.test', ...(events !== undefined && { events }) };
    const limit = timeoutMs === undefined ? {} : { timeoutMs };
    const { prediction } = await this.queue.submit(submissionTo(target, { webhook, ...limit }));
    return prediction.id;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
    await this.bench.close();
    await this.server.stop();
  }
}

function loopback() {
  const rule = parseAllowRule('127.0.0.0/8');
  if (rule === undefined) throw new Error('cannot be read');
  return rule;
}
