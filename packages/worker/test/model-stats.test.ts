import { describe, expect, it } from 'vitest';
import { ModelStatsRecorder } from '../src/model-stats.ts';

function recorderAt(startMs: number): {
  recorder: ModelStatsRecorder;
  advance: (ms: number) => void;
} {
  let nowMs = startMs;
  const recorder = new ModelStatsRecorder(() => nowMs);
  return {
    recorder,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

const batch = { rows: 8, inferenceMs: 2, meanQueueMs: 10 };

describe('ModelStatsRecorder', () => {
  it('counts rates over the last ten seconds', () => {
    const { recorder, advance } = recorderAt(1_000_000);
    for (let second = 0; second < 20; second++) {
      for (let i = 0; i < 5; i++) recorder.batch(batch);
      for (let i = 0; i < 20; i++) recorder.success();
      advance(1000);
    }
    const stats = recorder.snapshot();
    expect(stats.rowsPerSecond).toBeCloseTo(40, 0);
    expect(stats.predictionsPerSecond).toBeCloseTo(20, 0);
    expect(stats).toMatchObject({ batches: 100, rows: 800 });
  });

  it('counts a prediction that ran in parts once, and one that failed', () => {
    const { recorder, advance } = recorderAt(1_000_000);
    advance(10_000);
    for (let part = 0; part < 12; part++) recorder.batch(batch);
    recorder.success();
    recorder.failure();
    expect(recorder.snapshot()).toMatchObject({ predictionsPerSecond: 0.2, failed: 1 });
  });

  it('falls to zero when nothing runs, and keeps the totals', () => {
    const { recorder, advance } = recorderAt(1_000_000);
    recorder.batch(batch);
    advance(60_000);
    expect(recorder.snapshot()).toMatchObject({ rowsPerSecond: 0, batches: 1, rows: 8 });
  });

  it('follows a model that becomes slower', () => {
    const { recorder } = recorderAt(0);
    for (let i = 0; i < 100; i++) recorder.batch(batch);
    expect(recorder.snapshot().meanInferenceMs).toBeCloseTo(2);
    for (let i = 0; i < 200; i++) recorder.batch({ ...batch, inferenceMs: 50 });
    expect(recorder.snapshot().meanInferenceMs).toBeGreaterThan(45);
  });

  it('does not report an absurd rate right after the start', () => {
    const { recorder, advance } = recorderAt(5_000);
    advance(1);
    recorder.batch(batch);
    expect(recorder.snapshot().rowsPerSecond).toBeLessThanOrEqual(8);
  });
});
