import { type AllowRule, parseAllowRule, type ResolveHost } from '@quern/egress';
import {
  DELIVERY_QUEUE,
  openBullQueue,
  type PredictionQueue,
  readDeliveryDepth,
} from '@quern/queue';
import { createLogger, createMetricsRegistry, Lifecycle, readSettings } from '@quern/service';
import { eventually, TestRedis } from '@quern/testkit';
import { onTestFinished } from 'vitest';
import { inputOf, submissionTo, Workbench } from '../../queue/test/workbench.ts';
import { startWebhooks, type WebhooksSettings, webhooksSettings } from '../src/index.ts';
import { type Answer, Receiver } from './receiver.ts';

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

const LOOPBACK: AllowRule = allowRule('127.0.0.0/8');
const quiet = createLogger({ name: 'webhooks', level: 'fatal', pretty: false });

export interface OrderOptions {
  readonly events?: ('start' | 'completed')[];
  readonly timeoutMs?: number;
  /** Of four numbers. */
  readonly rows?: number;
}

/** Webhooks in this process: a Redis, producers and workers of predictions, receivers. */
export class WebhookBench {
  readonly server: TestRedis;
  readonly bench: Workbench;
  readonly queue: PredictionQueue;

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

  /** Starts a process's worth of webhooks, for this test; by default it may call the loopback. */
  async webhooks(
    settings: Partial<WebhooksSettings> = {},
    resolveHost?: ResolveHost,
  ): Promise<{ readonly port: number; readonly stop: () => Promise<void> }> {
    const lifecycle = new Lifecycle(quiet);
    const stop = (): Promise<void> => lifecycle.close();
    onTestFinished(stop);
    const { port } = await startWebhooks(
      {
        settings: {
          ...readSettings(webhooksSettings, {}),
          redisUrl: this.server.url,
          port: 0,
          egressAllow: [LOOPBACK],
          webhookSecrets: [SECRET],
          shutdownGraceMs: 0,
          ...settings,
        },
        logger: quiet,
        metrics: createMetricsRegistry('webhooks'),
        ...(resolveHost !== undefined && { resolveHost }),
      },
      lifecycle,
    );
    return { port, stop };
  }

  async receiver(answer?: Answer): Promise<Receiver> {
    const receiver = await Receiver.start(answer);
    onTestFinished(receiver.close);
    return receiver;
  }

  /** Submits a prediction of a model of its own that tells `url`; nobody runs it yet. */
  async order(
    model: string,
    url: string,
    { events, timeoutMs, rows = 1 }: OrderOptions = {},
  ): Promise<string> {
    const target =
      this.queue.registry.model(model) === undefined
        ? await this.bench.serve(this.queue, model)
        : await this.queue.registry.resolve(model);
    const webhook = { url, baseUrl: 'https://quern.test', ...(events !== undefined && { events }) };
    const limit = timeoutMs === undefined ? {} : { timeoutMs };
    const { prediction } = await this.queue.submit(
      submissionTo(target, { webhook, tensor: inputOf(rows), ...limit }),
    );
    return prediction.id;
  }

  async close(): Promise<void> {
    await this.bench.close();
    await this.server.stop();
  }

  /** Waits until every delivery is either delivered or given up. */
  async settled(): Promise<void> {
    await eventually(async () => (await readDeliveryDepth(this.bench.redis)).waiting === 0);
  }

  /** The deliveries that were given up, by the reason. */
  async deadLetters(): Promise<(string | undefined)[]> {
    const queue = openBullQueue(this.bench.redis, DELIVERY_QUEUE);
    const jobs = await queue.getFailed();
    await queue.close();
    return jobs.map(({ failedReason }) => failedReason);
  }
}

function allowRule(text: string): AllowRule {
  const rule = parseAllowRule(text);
  if (rule === undefined) throw new Error(`cannot read ${text}`);
  return rule;
}
