import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { DEVICE_LEASES_KEY } from './keys.ts';

export interface DeviceLeasesOptions {
  /** A connection of role `worker`. */
  readonly redis: Redis;
  /** Told when leases could not be renewed; it is tried again. */
  readonly onError: (error: Error) => void;
  /**
   * How long a lease outlives a process that is gone; it is renewed three times in that span.
   *
   * @default 15000
   */
  readonly ttlMs?: number;
}

/** A place on a device, until it is released. */
export interface DeviceLease {
  readonly device: string;
  /** Idempotent. */
  release(): Promise<void>;
}

/**
 * Gives out the least loaded device: that with the fewest leases, among equals that with the fewest of
 * the same model, then the first. Choosing and taking are one step, so two processes that ask at the same
 * moment get two devices. A lease is a member `<token> <model> <device>` of one sorted set, with the time
 * at which it ends by Redis' own clock.
 */
const ACQUIRE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local all, same = {}, {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local model, device = string.match(member, '^%S+ (%S+) (.+)$')
  if device then
    all[device] = (all[device] or 0) + 1
    if model == ARGV[3] then same[device] = (same[device] or 0) + 1 end
  end
end
local best
for i = 4, #ARGV do
  local device = ARGV[i]
  local a, s = all[device] or 0, same[device] or 0
  if not best or a < best.a or (a == best.a and s < best.s) then
    best = { device = device, a = a, s = s }
  end
end
redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. best.device)
return best.device
`;

/** Whoever still holds a lease says so; also if it ended meanwhile, because the device is in use. */
const RENEW = `
local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], ends, ARGV[i]) end
`;

const DEFAULT_TTL_MS = 15_000;
const RENEWALS_PER_TTL = 3;

/**
 * Spreads model instances over devices, across the workers of a host: each takes a lease on the device
 * that has the fewest. Leases are shared, not exclusive: with more instances than devices some share one.
 * The leases of a worker that died end by themselves.
 */
export class DeviceLeases {
  readonly #options: DeviceLeasesOptions;
  readonly #ttlMs: number;
  readonly #held = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: DeviceLeasesOptions) {
    this.#options = options;
    this.#ttlMs = options.ttlMs ?? DEFAULT_TTL_MS;
  }

  /**
   * Takes a lease on one of the devices.
   * @param model a name without blanks
   * @param devices at least one; names that are the same in every process that may use the device
   */
  async acquire(model: string, devices: readonly string[]): Promise<DeviceLease> {
    if (devices.length === 0) throw new RangeError('there is no device to lease');
    if (this.#closing !== undefined) throw new Error('the device leases are closed');
    const { redis } = this.#options;
    const token = randomUUID();
    const args = [this.#ttlMs, token, model, ...devices];
    const device = String(await redis.eval(ACQUIRE, 1, DEVICE_LEASES_KEY, ...args));
    const member = `${token} ${model} ${device}`;
    this.#held.add(member);
    // Closed while it asked: nobody else would give this one back.
    if (this.#closing !== undefined) await this.#release(member);
    else this.#timer ??= setInterval(() => void this.#renew(), this.#ttlMs / RENEWALS_PER_TTL);
    return { device, release: () => this.#release(member) };
  }

  /** Releases every lease that is held. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#held].map((member) => this.#release(member)));
  }

  async #release(member: string): Promise<void> {
    if (!this.#held.delete(member)) return;
    const { redis, onError } = this.#options;
    // With Redis away the lease ends by itself, and waiting would only hold up a shutdown.
    if (redis.status === 'ready') await redis.zrem(DEVICE_LEASES_KEY, member).catch(onError);
  }

  async #renew(): Promise<void> {
    const { redis, onError } = this.#options;
    if (this.#held.size === 0 || redis.status !== 'ready') return;
    await redis.eval(RENEW, 1, DEVICE_LEASES_KEY, this.#ttlMs, ...this.#held).catch(onError);
  }
}
