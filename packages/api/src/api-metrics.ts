import type { PredictionQueue } from '@quern/queue';
import { Counter, DURATION_BUCKETS_SECONDS, Gauge, Histogram, type Registry } from '@quern/service';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { contextOf } from './request-context.ts';

/** nginx's number for a caller that hung up before the answer. */
const CLIENT_GONE = 499;

/**
 * The API's figures. Labels are bounded: route templates, methods that some route has, known models
 * and the codes of the catalogue.
 */
export class ApiMetrics {
  readonly accepted: Counter<'model'>;
  readonly rejected: Counter<'model' | 'code'>;
  readonly expired: Counter<'model'>;
  readonly #registry: Registry;
  readonly #queue: PredictionQueue;
  readonly #requests: Counter<'method' | 'route' | 'status'>;
  readonly #duration: Histogram<'method' | 'route'>;
  readonly #waiting: Gauge<'model'>;
  readonly #active: Gauge<'model'>;
  readonly #oldest: Gauge<'model'>;
  readonly #workers: Gauge;

  constructor(registry: Registry, queue: PredictionQueue) {
    this.#registry = registry;
    this.#queue = queue;
    const registers = [registry];
    this.#requests = new Counter({
      name: 'quern_http_requests_total',
      help: 'Requests answered; status 499 is a caller that hung up first.',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'quern_http_request_duration_seconds',
      help: 'From the request line to the end of the answer, waits included.',
      labelNames: ['method', 'route'],
      buckets: [...DURATION_BUCKETS_SECONDS],
      registers,
    });
    this.accepted = new Counter({
      name: 'quern_predictions_accepted_total',
      help: 'Predictions that were put into the queue.',
      labelNames: ['model'],
      registers,
    });
    this.rejected = new Counter({
      name: 'quern_predictions_rejected_total',
      help: 'Predictions that were refused; the model is empty if it is unknown.',
      labelNames: ['model', 'code'],
      registers,
    });
    this.expired = new Counter({
      name: 'quern_predictions_expired_total',
      help: 'Predictions that waited in Redis when their deadline came, and were ended by this process.',
      labelNames: ['model'],
      registers,
    });
    const gauge = (name: string, help: string) =>
      new Gauge({ name, help, labelNames: ['model'] as const, registers });
    this.#waiting = gauge('quern_queue_waiting', 'Predictions that wait, retries included.');
    this.#active = gauge('quern_queue_active', 'Predictions that a worker holds.');
    this.#oldest = gauge(
      'quern_queue_oldest_seconds',
      'Age of the one that waits longest; 0 if none.',
    );
    this.#workers = new Gauge({
      name: 'quern_workers',
      help: 'Workers with a live heartbeat.',
      registers,
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The metrics as Prometheus reads them; the queues are counted now. */
  async text(): Promise<string> {
    await this.#countQueues();
    return this.#registry.metrics();
  }

  async #countQueues(): Promise<void> {
    const { registry } = this.#queue;
    const names = registry.models().map(({ name }) => name);
    // Without Redis the queues' figures are missing rather than old; the rest is still true.
    const depths = await Promise.all(names.map((name) => this.#queue.depth(name))).catch(() => []);
    for (const gauge of [this.#waiting, this.#active, this.#oldest]) gauge.reset();
    depths.forEach((depth, index) => {
      const labels = { model: names[index] ?? '' };
      this.#waiting.set(labels, depth.waiting);
      this.#active.set(labels, depth.active);
      this.#oldest.set(labels, (depth.oldestWaitingMs ?? 0) / 1000);
    });
    this.#workers.set(registry.workers().length);
  }

  /** Counts and times each request once its answer has ended. */
  observe(): RequestHandler {
    return (request: Request, response: Response, next: NextFunction): void => {
      response.once('close', () => {
        const { route, startedAtMs } = contextOf(response);
        const method = METHODS.has(request.method) ? request.method : 'other';
        const status = response.writableFinished ? response.statusCode : CLIENT_GONE;
        this.#requests.inc({ method, route, status });
        this.#duration.observe({ method, route }, (performance.now() - startedAtMs) / 1000);
      });
      next();
    };
  }
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']);
