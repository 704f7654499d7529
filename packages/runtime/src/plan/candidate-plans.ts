/** How a model version is laid out on a CPU: so many processes, each computing with so many threads. */
export interface InstancePlan {
  readonly instances: number;
  readonly threads: number;
}

/** `instances.count` and `instances.threads` of model.yaml. */
export interface WantedInstances {
  readonly count: number | 'auto';
  readonly threads: number | 'auto';
}

/**
 * The layouts worth a trial on so many cores. Together they use all cores and not more, as far as what is
 * given allows; the number of processes goes in powers of two. The two extremes come first, in case that
 * there is no time for those between.
 * @returns at least one; just one if nothing is `auto`
 */
export function candidatePlans(
  { count, threads }: WantedInstances,
  cores: number,
): readonly InstancePlan[] {
  if (count !== 'auto') {
    if (threads !== 'auto') return [{ instances: count, threads }];
    const most = Math.max(1, Math.floor(cores / count));
    return extremesFirst(powersUpTo(most)).map((each) => ({ instances: count, threads: each }));
  }
  const most = threads === 'auto' ? cores : Math.max(1, Math.floor(cores / threads));
  return extremesFirst(powersUpTo(most)).map((instances) => ({
    instances,
    threads: threads === 'auto' ? Math.floor(cores / instances) : threads,
  }));
}

/** What is used where nothing could be measured. */
export function unmeasuredPlan({ count, threads }: WantedInstances): InstancePlan {
  return {
    instances: count === 'auto' ? 1 : count,
    threads: threads === 'auto' ? 1 : threads,
  };
}

/** 1, 2, 4, ... and the largest itself. */
function powersUpTo(most: number): number[] {
  const powers: number[] = [];
  for (let power = 1; power < most; power *= 2) powers.push(power);
  return [...powers, most];
}

function extremesFirst(values: readonly number[]): number[] {
  const last = values.at(-1) ?? 1;
  return [...new Set([values[0] ?? 1, last, ...values.slice(1, -1)])];
}
