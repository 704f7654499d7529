import type { Clock, TurnGate } from '@quern/batcher';
import { DeviceFlow } from './device-flow.ts';

/**
 * How long the model that is furthest behind waits for a run to end before it runs beside it. Runs
 * cannot be interrupted, but operating system and driver share a device among processes.
 */
const PATIENCE_MS = 20;

export interface DeviceShare {
  /** The device, e.g. `cpu` or `cuda:0`. */
  readonly device: string;
  /** What fits on the device at a time: cores, or 1. */
  readonly capacity: number;
  /** How much of that one run takes. */
  readonly units: number;
  /** Whose time it counts as: versions of a model share. */
  readonly model: string;
  /** Share of the device's time, relative to other models'. */
  readonly weight: number;
  /** A turn that was refused may be had now. */
  readonly onTurn: () => void;
  /** What is ready has to wait for the device; called once for each wait. */
  readonly onRefused?: () => void;
}

/**
 * Shares devices between the models of a worker by the time that they use there, as their weights say.
 *
 * A model that has its device to itself is never refused. Where several would run more than fits, the
 * one that has used least goes first, whatever it takes of the others' time to wait for it; so models
 * with long runs and with short ones get equal time, not equal numbers of runs. Nothing is left idle:
 * what fits runs. And nobody starves: the model that is furthest behind waits for a run of others to
 * end for `PATIENCE_MS`, then it runs beside it.
 *
 * A model that had nothing to run joins at the place of what was started last: it is owed nothing for
 * the time before.
 */
export class DeviceTurns {
  /** Of the CPU, for `DeviceShare.capacity`. */
  readonly cores: number;
  readonly #clock: Clock;
  readonly #devices = new Map<string, Device>();

  constructor(clock: Clock, cores = 1) {
    this.#clock = clock;
    this.cores = cores;
  }

  /** The gate of one batcher. It must withdraw in the end, and end the turns it took. */
  join(share: DeviceShare): TurnGate {
    let device = this.#devices.get(share.device);
    if (device === undefined) {
      device = new Device(this.#clock, share.capacity);
      this.#devices.set(share.device, device);
    }
    return new DeviceSeat(device, share);
  }
}

/** One batcher's place at a device. */
class DeviceSeat implements TurnGate {
  readonly share: DeviceShare;
  readonly flow: DeviceFlow<DeviceSeat>;
  readonly units: number;
  readonly #device: Device;

  constructor(device: Device, share: DeviceShare) {
    this.#device = device;
    this.share = share;
    this.flow = device.flow(share);
    this.units = Math.min(share.units, share.capacity);
  }

  start(): boolean {
    return this.#device.start(this);
  }

  mayPrefetch(): boolean {
    return this.#device.mayPrefetch(this.flow);
  }

  charge(deviceMs: number): void {
    this.#device.charge(this, deviceMs);
  }

  end(): void {
    this.#device.end(this);
  }

  withdraw(): void {
    this.#device.withdraw(this);
  }
}

class Device {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #flows = new Map<string, DeviceFlow<DeviceSeat>>();
  /** Units that run now. */
  #used = 0;
  /** Where the flow stood that was started last. */
  #virtualMs = 0;
  #isOffering = false;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, capacity: number) {
    this.#clock = clock;
    this.#capacity = capacity;
  }

  flow({ model, weight }: DeviceShare): DeviceFlow<DeviceSeat> {
    const known = this.#flows.get(model);
    if (known !== undefined) return known;
    const flow = new DeviceFlow<DeviceSeat>(weight);
    this.#flows.set(model, flow);
    return flow;
  }

  start(seat: DeviceSeat): boolean {
    const { flow, units } = seat;
    const nowMs = this.#clock.nowMs();
    flow.join(this.#virtualMs, nowMs);
    if (!this.#mayStart(flow, units, nowMs)) {
      if (flow.waiting.size === 0) flow.waitingSinceMs = nowMs;
      if (!flow.waiting.has(seat)) seat.share.onRefused?.();
      flow.waiting.add(seat);
      this.#offerSoon();
      return false;
    }
    flow.runsBeside = this.#used > 0 && this.#used + units > this.#capacity;
    this.#virtualMs = Math.max(this.#virtualMs, flow.startedAtUseMs);
    flow.started(units, nowMs);
    this.#used += units;
    if (flow.waiting.delete(seat)) this.#offerSoon();
    return true;
  }

  #mayStart(flow: DeviceFlow<DeviceSeat>, units: number, nowMs: number): boolean {
    let isContended = false;
    let isFirst = true;
    for (const other of this.#flows.values()) {
      if (other === flow || !other.isBusy) continue;
      isContended = true;
      if (other.waiting.size > 0 && other.usedMs(nowMs) < flow.usedMs(nowMs)) isFirst = false;
    }
    if (!isContended && flow.waiting.size === 0) return true;
    if (!isFirst || this.#gapEndsAtMs(flow, nowMs) > nowMs) return false;
    if (this.#used === 0 || this.#used + units <= this.#capacity) return true;
    return this.#mayRunBesideAtMs(flow, nowMs) <= nowMs;
  }

  /**
   * Until when a flow that was refused leaves room for those that are behind it and are between two
   * runs: were it to take the device in every gap, it would be its turn after each run of theirs.
   */
  #gapEndsAtMs(flow: DeviceFlow<DeviceSeat>, nowMs: number): number {
    let atMs = Number.NEGATIVE_INFINITY;
    if (flow.waiting.size === 0) return atMs;
    for (const other of this.#flows.values()) {
      if (other !== flow && other.usedMs(nowMs) < flow.usedMs(nowMs)) {
        atMs = Math.max(atMs, other.gapEndsAtMs);
      }
    }
    return atMs;
  }

  /** When a flow's patience ends and it is behind all that run; Infinity while it runs itself. */
  #mayRunBesideAtMs(flow: DeviceFlow<DeviceSeat>, nowMs: number): number {
    if (flow.isRunning) return Number.POSITIVE_INFINITY;
    const waitsSinceMs = flow.waiting.size > 0 ? flow.waitingSinceMs : nowMs;
    let atMs = flow.runsBeside ? nowMs : waitsSinceMs + PATIENCE_MS;
    for (const other of this.#flows.values()) {
      if (other.isRunning) atMs = Math.max(atMs, overtakenAtMs(other, flow, nowMs));
    }
    return atMs;
  }

  mayPrefetch(flow: DeviceFlow<DeviceSeat>): boolean {
    this.#virtualMs = Math.max(this.#virtualMs, flow.startedAtUseMs);
    const isOverbooked = this.#used > this.#capacity;
    let nowMs: number | undefined;
    for (const other of this.#flows.values()) {
      const isKeptBack = other.waiting.size > 0 || (isOverbooked && other.isRunning);
      if (other === flow || !isKeptBack) continue;
      nowMs ??= this.#clock.nowMs();
      // Behind the other even after this run, it would have the next turn all the same.
      if (flow.expectedUseMs(nowMs) >= other.usedMs(nowMs)) return false;
    }
    return true;
  }

  charge({ flow, units }: DeviceSeat, deviceMs: number): void {
    flow.charge(units, deviceMs, this.#clock.nowMs());
  }

  end({ flow, units }: DeviceSeat): void {
    flow.ended(units, this.#clock.nowMs());
    this.#used -= units;
    for (const other of this.#flows.values()) {
      if (other !== flow) other.runsBeside = false;
    }
    this.#offerSoon();
  }

  withdraw(seat: DeviceSeat): void {
    if (seat.flow.waiting.delete(seat)) this.#offerSoon();
  }

  #waiting(): DeviceFlow<DeviceSeat>[] {
    return [...this.#flows.values()].filter(({ waiting }) => waiting.size > 0);
  }

  /**
   * Offers what is free to the flow that is furthest behind. Not before the batcher whose run has just
   * ended knows what it has to run next: it may be the one.
   */
  #offerSoon(): void {
    if (this.#isOffering) return;
    if (this.#waiting().length === 0) {
      this.#stopTimer();
      return;
    }
    this.#isOffering = true;
    this.#clock.soon(() =>
      this.#clock.soon(() => {
        this.#isOffering = false;
        this.#offer();
      }),
    );
  }

  #offer(): void {
    this.#stopTimer();
    const nowMs = this.#clock.nowMs();
    const waiting = this.#waiting().sort((a, b) => a.usedMs(nowMs) - b.usedMs(nowMs));
    const [first, second] = waiting;
    const [seat] = first?.waiting ?? [];
    if (first === undefined || seat === undefined) return;
    if (this.#mayStart(first, seat.units, nowMs)) {
      seat.share.onTurn();
      return;
    }
    const gapEndsAtMs = this.#gapEndsAtMs(first, nowMs);
    let atMs = gapEndsAtMs > nowMs ? gapEndsAtMs : this.#mayRunBesideAtMs(first, nowMs);
    // Running itself, it is not the first for ever.
    if (second !== undefined) atMs = Math.min(atMs, overtakenAtMs(first, second, nowMs));
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = this.#clock.setTimer(Math.max(atMs, nowMs + 1), () => this.#offer());
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}

/** When a flow that runs will have used more than another one that does not; Infinity: never. */
function overtakenAtMs(
  running: DeviceFlow<DeviceSeat>,
  other: DeviceFlow<DeviceSeat>,
  nowMs: number,
): number {
  const leadMs = other.usedMs(nowMs) - running.usedMs(nowMs);
  if (leadMs < 0) return nowMs;
  return running.rate > 0 ? nowMs + leadMs / running.rate : Number.POSITIVE_INFINITY;
}
