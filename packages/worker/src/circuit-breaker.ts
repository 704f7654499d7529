/**
 * When a model version counts as broken, as a pure function of what happens and when.
 *
 * A fault of one input fails that input alone; a fault of the model fails every input, and running them
 * one after the other would only fail them one after the other. What tells the two apart is the control
 * run: an input that is known to be good. The breaker goes
 *
 *     closed --(some faults in a row)--> checking --(control passes)--> closed, patient for longer
 *       |                                    |
 *       '--(a control run fails)-------------'--> open --(delay)--> trial --(control passes)--> closed
 *                                                  ^                  |
 *                                                  '---(it fails)-----'
 *
 * - `closed`: predictions run. Runs that fail as a whole are counted; one that goes through ends the row.
 * - `checking`: the row was long enough to ask for a control run; predictions go on. When it passes, the
 *   inputs were at fault, and twice as many are let pass before the next check.
 * - `open`: the version is unhealthy; its predictions go back to the queue.
 * - `trial`: a control run on new processes says whether it is healthy again; if not, the next delay is
 *   twice as long. After it one fault is enough for a check, until a run has gone through.
 *
 * A version whose warm-up left no input that is known to be good is never checked: it opens after more
 * faults in a row of the kind that takes its process along, and its trial is that the model loads.
 */
export type BreakerState =
  | {
      readonly kind: 'closed' | 'checking';
      /** Faults in a row. */
      readonly faults: number;
      /** The length of a row that asks for a check. */
      readonly patience: number;
      /** Times it opened since a run last went through. */
      readonly openings: number;
    }
  | {
      readonly kind: 'open';
      readonly untilMs: number;
      readonly reason: string;
      readonly openings: number;
    }
  | { readonly kind: 'trial'; readonly reason: string; readonly openings: number };

export type BreakerEvent =
  /** A run of predictions went through. */
  | { readonly kind: 'success' }
  /** A run failed as a whole; `endedProcess` if it crashed or hung. */
  | { readonly kind: 'fault'; readonly message: string; readonly endedProcess: boolean }
  | { readonly kind: 'control_passed' }
  | { readonly kind: 'control_failed'; readonly message: string }
  /** Time has passed. */
  | { readonly kind: 'tick' };

export interface BreakerSettings {
  /** Whether there is an input that is known to be good. */
  readonly canControl: boolean;
  /** Faults in a row that ask for the first control run. */
  readonly faultsUntilCheck: number;
  /** The row grows up to this with every check that passes. */
  readonly maxFaultsUntilCheck: number;
  /** Without a control input: crashes and hangs in a row that open it. */
  readonly crashesUntilOpen: number;
  /** How long it stays open at first; twice as long each further time. */
  readonly firstOpenMs: number;
  readonly maxOpenMs: number;
}

export const DEFAULT_BREAKER_SETTINGS: BreakerSettings = {
  canControl: true,
  faultsUntilCheck: 3,
  maxFaultsUntilCheck: 96,
  crashesUntilOpen: 10,
  firstOpenMs: 5000,
  maxOpenMs: 60_000,
};

export function closedBreaker({ faultsUntilCheck }: BreakerSettings): BreakerState {
  return { kind: 'closed', faults: 0, patience: faultsUntilCheck, openings: 0 };
}

/** The state after an event; the same object if it changes nothing. */
export function nextBreakerState(
  state: BreakerState,
  event: BreakerEvent,
  nowMs: number,
  settings: BreakerSettings,
): BreakerState {
  switch (state.kind) {
    case 'closed':
    case 'checking':
      return whileClosed(state, event, nowMs, settings);
    case 'open': {
      const { reason, openings } = state;
      const isDue = event.kind === 'tick' && nowMs >= state.untilMs;
      return isDue ? { kind: 'trial', reason, openings } : state;
    }
    case 'trial':
      if (event.kind === 'control_failed') return open(state, event.message, nowMs, settings);
      if (event.kind !== 'control_passed') return state;
      return { kind: 'closed', faults: 0, patience: 1, openings: state.openings };
  }
}

type Closed = Extract<BreakerState, { kind: 'closed' | 'checking' }>;

function whileClosed(
  state: Closed,
  event: BreakerEvent,
  nowMs: number,
  settings: BreakerSettings,
): BreakerState {
  switch (event.kind) {
    case 'success': {
      const isFresh =
        state.faults === 0 &&
        state.openings === 0 &&
        state.kind === 'closed' &&
        state.patience === settings.faultsUntilCheck;
      return isFresh ? state : closedBreaker(settings);
    }
    case 'fault':
      return afterFault(state, event, nowMs, settings);
    case 'control_failed':
      return open(state, event.message, nowMs, settings);
    case 'control_passed': {
      const doubled = Math.min(2 * state.patience, settings.maxFaultsUntilCheck);
      const patience = state.kind === 'checking' ? doubled : state.patience;
      return { ...state, kind: 'closed', faults: 0, patience };
    }
    case 'tick':
      return state;
  }
}

function afterFault(
  state: Closed,
  event: Extract<BreakerEvent, { kind: 'fault' }>,
  nowMs: number,
  settings: BreakerSettings,
): BreakerState {
  if (settings.canControl) {
    const faults = state.faults + 1;
    return { ...state, faults, kind: faults >= state.patience ? 'checking' : state.kind };
  }
  // Inputs that the model refuses one by one harm nobody else, whoever is at fault.
  if (!event.endedProcess) return state;
  const faults = state.faults + 1;
  const limit = state.openings > 0 ? 1 : settings.crashesUntilOpen;
  return faults >= limit ? open(state, event.message, nowMs, settings) : { ...state, faults };
}

function open(
  { openings }: BreakerState,
  reason: string,
  nowMs: number,
  { firstOpenMs, maxOpenMs }: BreakerSettings,
): BreakerState {
  const delayMs = Math.min(firstOpenMs * 2 ** openings, maxOpenMs);
  return { kind: 'open', untilMs: nowMs + delayMs, reason, openings: openings + 1 };
}
