import type { StatisticsKeeper } from './statistics-keeper.ts';
import { VersionMeter } from './version-meter.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

/** The meters of all versions on a worker; they count on when a model is loaded again. */
export class VersionMeters {
  readonly #metrics: WorkerMetrics;
  readonly #statistics: StatisticsKeeper;
  readonly #meters = new Map<string, VersionMeter>();

  constructor(metrics: WorkerMetrics, statistics: StatisticsKeeper) {
    this.#metrics = metrics;
    this.#statistics = statistics;
  }

  /** The meter of a version; the same one each time. */
  of(model: string, version: number): VersionMeter {
    const key = `${model}:${version}`;
    const known = this.#meters.get(key);
    if (known !== undefined) return known;
    const tally = this.#statistics.of(model, version);
    const meter = new VersionMeter({ metrics: this.#metrics, model, version, tally });
    this.#meters.set(key, meter);
    return meter;
  }
}
