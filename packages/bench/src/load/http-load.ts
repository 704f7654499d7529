import autocannon from 'autocannon';

export interface HttpLoad {
  readonly url: string;
  readonly body: string | Buffer;
  /** Beside or in place of `Content-Type: application/json` and `Prefer: wait`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly callers: number;
  readonly seconds: number;
}

export interface HttpLoadResult {
  /** Answered with 2xx. */
  readonly good: number;
  readonly goodPerSecond: number;
  /** Answered with something else, or not at all. */
  readonly failed: number;
  readonly total: number;
}

/** Closed-loop load: each caller sends its next request when it has its answer. */
export async function httpLoad(load: HttpLoad): Promise<HttpLoadResult> {
  const result = await autocannon({
    url: load.url,
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'wait', ...load.headers },
    body: load.body,
    connections: load.callers,
    duration: load.seconds,
  });
  return {
    good: result['2xx'],
    goodPerSecond: result['2xx'] / result.duration,
    failed: result.non2xx + result.errors + result.timeouts,
    total: result.requests.total,
  };
}

/**
 * @returns answered requests per second
 * @throws Error if any answer was not 2xx
 */
export async function requestsPerSecond(load: HttpLoad): Promise<number> {
  const { goodPerSecond, failed, total } = await httpLoad(load);
  if (failed > 0) throw new Error(`${failed} of ${total} requests to ${load.url} failed`);
  return goodPerSecond;
}
