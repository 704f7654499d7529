import { onTestFinished } from 'vitest';
import type { RunnerModel } from '../../src/index.ts';
import { type LoadedSession, loadSession } from '../../src/session/load-session.ts';
import { fixtureModel } from './runners.ts';

/** A model loaded in this process, which the test's end releases. */
export async function openSession(
  name: string,
  overrides: Partial<RunnerModel> = {},
): Promise<LoadedSession> {
  const noMarks = { started: () => {}, ended: () => {} };
  const session = await loadSession(fixtureModel(name, overrides), noMarks);
  onTestFinished(() => session.release());
  return session;
}
