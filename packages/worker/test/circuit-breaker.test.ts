import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BreakerEvent,
  type BreakerSettings,
  type BreakerState,
  closedBreaker,
  DEFAULT_BREAKER_SETTINGS as DEFAULTS,
  nextBreakerState,
} from '../src/circuit-breaker.ts';

const WITHOUT_CONTROL: BreakerSettings = { ...DEFAULTS, canControl: false };
const success: BreakerEvent = { kind: 'success' };
const refused: BreakerEvent = { kind: 'fault', message: 'refused', endedProcess: false };
const crash: BreakerEvent = { kind: 'fault', message: 'crashed', endedProcess: true };
const passed: BreakerEvent = { kind: 'control_passed' };
const failed: BreakerEvent = { kind: 'control_failed', message: 'broken' };
const tick: BreakerEvent = { kind: 'tick' };

/** The state after events that all come at one time. */
function stateAfter(
  events: readonly BreakerEvent[],
  settings: BreakerSettings = DEFAULTS,
  state: BreakerState = closedBreaker(settings),
  nowMs = 0,
): BreakerState {
  return events.reduce((last, event) => nextBreakerState(last, event, nowMs, settings), state);
}

describe('closed', () => {
  it('asks for a control run after three faults in a row, not after three with a success between', () => {
    expect(stateAfter([refused, refused]).kind).toBe('closed');
    expect(stateAfter([refused, refused, refused]).kind).toBe('checking');
    expect(stateAfter([refused, refused, success, refused, refused]).kind).toBe('closed');
  });

  it('is patient for twice as long after each check that passes, up to a limit', () => {
    let state = closedBreaker(DEFAULTS);
    const lengths: number[] = [];
    for (let check = 0; check < 8; check++) {
      let length = 0;
      for (; state.kind === 'closed'; length++) state = stateAfter([refused], DEFAULTS, state);
      lengths.push(length);
      state = stateAfter([passed], DEFAULTS, state);
    }
    expect(lengths).toEqual([3, 6, 12, 24, 48, 96, 96, 96]);
    expect(stateAfter([success, refused, refused, refused], DEFAULTS, state).kind).toBe('checking');
  });

  it('opens when a control run fails, whoever made it, and says why', () => {
    expect(stateAfter([failed])).toEqual({
      kind: 'open',
      untilMs: 5000,
      reason: 'broken',
      openings: 1,
    });
    expect(stateAfter([refused, refused, refused, failed]).kind).toBe('open');
  });

  it('without a control input opens for crashes in a row, never for refusals', () => {
    const crashes = Array<BreakerEvent>(9).fill(crash);
    expect(stateAfter(crashes, WITHOUT_CONTROL).kind).toBe('closed');
    expect(stateAfter([...crashes, crash], WITHOUT_CONTROL)).toMatchObject({ reason: 'crashed' });
    expect(stateAfter([...crashes, success, crash], WITHOUT_CONTROL).kind).toBe('closed');
    expect(stateAfter(Array<BreakerEvent>(1000).fill(refused), WITHOUT_CONTROL).kind).toBe(
      'closed',
    );
  });
});

describe('open', () => {
  it('becomes a trial when its time has come, and not before', () => {
    const open = stateAfter([failed]);
    expect(nextBreakerState(open, tick, 4999, DEFAULTS)).toBe(open);
    expect(nextBreakerState(open, tick, 5000, DEFAULTS).kind).toBe('trial');
  });

  it('stays so for longer each time that a trial fails, up to a limit', () => {
    let state = stateAfter([failed]);
    const delays: number[] = [];
    for (let nowMs = 0; state.kind === 'open' && delays.length < 6; ) {
      delays.push(state.untilMs - nowMs);
      nowMs = state.untilMs;
      state = stateAfter([tick, failed], DEFAULTS, state, nowMs);
    }
    expect(delays).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it('closes after a trial that passes; then one fault is checked at once, until a run succeeds', () => {
    const open = stateAfter([failed]);
    const again = stateAfter([tick, passed], DEFAULTS, open, 5000);
    expect(again.kind).toBe('closed');
    expect(stateAfter([refused], DEFAULTS, again).kind).toBe('checking');
    expect(stateAfter([refused, failed], DEFAULTS, again, 6000)).toMatchObject({ untilMs: 16_000 });
    expect(stateAfter([success], DEFAULTS, again)).toEqual(closedBreaker(DEFAULTS));
  });
});

it('whatever happens and whenever, it opens for control runs that fail alone, and always comes to a trial', () => {
  const events = fc.array(
    fc.tuple(
      fc.constantFrom(success, refused, crash, passed, failed, tick),
      fc.nat({ max: 30_000 }),
    ),
  );
  fc.assert(
    fc.property(events, (sequence) => {
      let state = closedBreaker(DEFAULTS);
      let nowMs = 0;
      for (const [event, pauseMs] of sequence) {
        nowMs += pauseMs;
        const before = state;
        state = nextBreakerState(state, event, nowMs, DEFAULTS);
        if (state.kind === 'open' && before.kind !== 'open') expect(event).toBe(failed);
        if (before.kind === 'open' && state !== before) expect(state.kind).toBe('trial');
        if (state.kind !== 'open') continue;
        expect(state.untilMs - nowMs).toBeLessThanOrEqual(DEFAULTS.maxOpenMs);
        expect(nextBreakerState(state, tick, state.untilMs, DEFAULTS).kind).toBe('trial');
      }
    }),
  );
});
