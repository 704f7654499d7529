/** CPU time that one prediction costs, over all threads of the processes, in microseconds. */
export interface PredictionCosts {
  readonly apiUs: number;
  readonly redisUs: number;
  /** Without its runners. */
  readonly workerUs: number;
}

/** What has to be carried. */
export interface PlannedLoad {
  readonly predictionsPerSecond: number;
  readonly rowsPerPrediction: number;
  /** What one instance of the model runs at its best batch size. */
  readonly instanceRowsPerSecond: number;
  /** Input of one prediction, encoded. */
  readonly inputBytes: number;
  /** So long predictions may pile up while nobody runs them. */
  readonly backlogSeconds: number;
  /** The share of each part that stays free in the mean, for bursts and for a part that fails; 0 to below 1. */
  readonly headroom: number;
}

/** One kind of part, and how many of it the load needs. */
export interface PlannedPart {
  readonly name: 'API replicas' | 'workers' | 'instances' | 'Redis shards';
  readonly count: number;
  /** What one of them carries when it is never idle. */
  readonly predictionsPerSecondEach: number;
  /** The share of its time that each is busy with this load. */
  readonly busy: number;
}

export interface CapacityPlan {
  readonly parts: readonly PlannedPart[];
  /** Cores that API, workers and Redis keep busy in the mean; instances on CPUs come on top. */
  readonly busyCores: number;
  /** Memory of Redis for the backlog. */
  readonly backlogBytes: number;
  /** A model's queue lies on one shard: more of them carry one load only as queues of several models. */
  readonly queues: number;
}

/** Redis memory of a waiting prediction beyond its input, which lies in its job as base64. */
const JOB_BYTES = 1650;
const BASE64 = 4 / 3;

/**
 * How many of each part a load needs. API, worker and Redis are taken to work on one core each, as their
 * main threads do; an instance has a device or its threads' cores to itself. The model is linear: what a
 * prediction costs does not depend on how many there are.
 *
 * @throws RangeError if a number is not one that a load can have
 */
export function planCapacity(load: PlannedLoad, costs: PredictionCosts): CapacityPlan {
  assertPositive(load);
  assertPositive(costs);
  if (!(load.headroom < 1)) throw new RangeError(`headroom is ${load.headroom}, expected below 1`);
  const perSecond = 1e6;
  const workers = partFor('workers', perSecond / costs.workerUs, load);
  const instanceRate = load.instanceRowsPerSecond / load.rowsPerPrediction;
  const shards = partFor('Redis shards', perSecond / costs.redisUs, load);
  return {
    parts: [
      partFor('API replicas', perSecond / costs.apiUs, load),
      workers,
      // Each worker has an instance of its own at least.
      partFor('instances', instanceRate, load, workers.count),
      shards,
    ],
    busyCores:
      (load.predictionsPerSecond * (costs.apiUs + costs.workerUs + costs.redisUs)) / perSecond,
    backlogBytes:
      load.predictionsPerSecond * load.backlogSeconds * (JOB_BYTES + load.inputBytes * BASE64),
    queues: shards.count,
  };
}

function partFor(
  name: PlannedPart['name'],
  predictionsPerSecondEach: number,
  { predictionsPerSecond, headroom }: PlannedLoad,
  least = 1,
): PlannedPart {
  const needed = Math.ceil(predictionsPerSecond / (predictionsPerSecondEach * (1 - headroom)));
  const count = Math.max(least, needed);
  const busy = predictionsPerSecond / (predictionsPerSecondEach * count);
  return { name, count, predictionsPerSecondEach, busy };
}

function assertPositive(numbers: PlannedLoad | PredictionCosts): void {
  for (const [name, value] of Object.entries(numbers)) {
    const mayBeZero = name === 'headroom' || name === 'inputBytes' || name === 'backlogSeconds';
    if (!Number.isFinite(value) || value < 0 || (value === 0 && !mayBeZero)) {
      throw new RangeError(`${name} is ${value}, expected a number above 0`);
    }
  }
}
