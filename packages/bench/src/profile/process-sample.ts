import type { Profiler } from 'node:inspector';

/** What a process did between two signals. */
export interface ProcessSample {
  /** The script that it runs. */
  readonly script: string;
  /** CPU time of all its threads. */
  readonly cpuUs: number;
  /** Of its main thread. */
  readonly profile: Profiler.Profile;
}

/** Says what a stack of calls works at, from the innermost one outwards; undefined if it does not tell. */
export type FrameRule = (functionName: string, file: string) => string | undefined;

/** What is sampled while the thread has nothing to do. */
const IDLE = '(idle)';

/**
 * The time of the main thread by what it worked at, in microseconds: of each stack the innermost call
 * counts that the rule knows. What no call tells is under `otherwise`.
 */
export function timeByWork(
  profile: Profiler.Profile,
  rule: FrameRule,
  otherwise: string,
): Map<string, number> {
  const workOf = nameWork(profile, rule, otherwise);
  const times = new Map<string, number>();
  profile.samples?.forEach((id, i) => {
    const work = workOf.get(id);
    if (work === undefined) return;
    times.set(work, (times.get(work) ?? 0) + (profile.timeDeltas?.[i] ?? 0));
  });
  return times;
}

/** By node; nodes of idle time have none. */
function nameWork(
  { nodes }: Profiler.Profile,
  rule: FrameRule,
  otherwise: string,
): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const works = new Map<number, string>();
  const visit = (id: number, outer: string): void => {
    const node = byId.get(id);
    if (node === undefined || node.callFrame.functionName === IDLE) return;
    const work = rule(node.callFrame.functionName, node.callFrame.url) ?? outer;
    works.set(id, work);
    for (const child of node.children ?? []) visit(child, work);
  };
  const root = nodes[0];
  if (root !== undefined) visit(root.id, otherwise);
  return works;
}
