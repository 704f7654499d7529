import autocannon from 'autocannon';

export interface HttpLoad {
  readonly url: string;
  readonly body: string;
  readonly callers: number;
  readonly seconds: number;
}

/**
 * Closed-loop load: each caller sends its next request when it has its answer.
 * @returns answered requests per second
 * @throws Error if any answer was not 200
 */
export async function requestsPerSecond(load: HttpLoad): Promise<number> {
  const result = await autocannon({
    url: load.url,
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'wait' },
    body: load.body,
    connections: load.callers,
    duration: load.seconds,
  });
  const bad = result.non2xx + result.errors + result.timeouts;
  if (bad > 0) throw new Error(`${bad} of ${result.requests.total} requests to ${load.url} failed`);
  return result.requests.total / result.duration;
}
