import { type HttpLoad, requestsPerSecond } from '../load/http-load.ts';
import { type InferBody, inferBodies } from '../load/infer-bodies.ts';
import { memoryGrowth, residentBytes } from '../load/memory-growth.ts';
import { IMAGE_SHAPE, imageMean } from '../models/image-mean.ts';
import type { Figure } from '../report.ts';
import { pairedRatios, summarise } from '../summary.ts';
import { startBareExpress } from './bare-express.ts';
import { withBenchStack } from './bench-stack.ts';
import type { Suite, SuiteOptions } from './suite.ts';

const CALLERS = 16;
const PATH = '/v2/models/image-mean/infer';
const MODELS = { made: [{ name: 'image-mean', onnx: imageMean() }] };
const KINDS = ['binary', 'json'] as const;
const PLACES = ['API', 'worker and runner', 'Redis'] as const;
type Bodies = Readonly<Record<(typeof KINDS)[number], InferBody>>;

/** Images as tensors of 602 KB: in binary form, as JSON, and read by a server that does nothing else. */
export const payloadsSuite: Suite = async (options) => {
  const length = IMAGE_SHAPE.reduce((product, dimension) => product * dimension, 1);
  const values = Float32Array.from({ length }, (_, i) => (i % 256) / 255);
  const bodies = inferBodies([1, ...IMAGE_SHAPE], values);
  return [...(await rates(bodies, options)), ...(await memory(bodies, options))];
};

async function rates(bodies: Bodies, { quick, log }: SuiteOptions): Promise<Figure[]> {
  const rounds = quick ? 1 : 5;
  const seconds = quick ? 2 : 6;
  return withBenchStack(MODELS, async ({ stack }) => {
    const bare = await startBareExpress();
    const measure = (body: InferBody, base: string): Promise<number> =>
      requestsPerSecond(loadOf(body, base, seconds));
    const measured = { binary: [] as number[], json: [] as number[], limit: [] as number[] };
    try {
      for (let round = 0; round < rounds; round++) {
        for (const kind of KINDS) measured[kind].push(await measure(bodies[kind], stack.apiUrl));
        measured.limit.push(await measure(bodies.binary, bare.url));
        const [binary, json, limit] = [measured.binary, measured.json, measured.limit].map((all) =>
          all.at(-1)?.toFixed(1),
        );
        log(`  round ${round + 1}: binary ${binary}/s, JSON ${json}/s, Express alone ${limit}/s`);
      }
    } finally {
      await bare.process.stop();
    }
    const megabytes = (bodies.json.body.byteLength / 1e6).toFixed(1);
    const ours = summarise(measured.binary);
    return [
      {
        what: `sync predictions/s of a 602 KB image tensor in binary form, ${CALLERS} callers`,
        unit: '/s',
        ours,
        limit: { what: `as JSON (${megabytes} MB)`, value: summarise(measured.json) },
        ratio: pairedRatios(measured.binary, measured.json),
        goal: '5',
      },
      {
        what: 'the same beside a server that only reads the bytes',
        unit: '/s',
        ours,
        limit: { what: 'Express without a queue', value: summarise(measured.limit) },
        ratio: pairedRatios(measured.binary, measured.limit),
      },
    ];
  });
}

/** Each time over fresh processes: one that has held such bodies before has memory to spare. */
async function memory(bodies: Bodies, { quick, log }: SuiteOptions): Promise<Figure[]> {
  const measured = { binary: [] as Growth[], json: [] as Growth[] };
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const kind of KINDS) measured[kind].push(await growthUnderLoad(bodies[kind], quick));
    log(`  memory, round ${round + 1}: done`);
  }
  return PLACES.map((place) => ({
    what: `memory of ${place} for each binary prediction in flight`,
    unit: 'MiB',
    ours: summarise(measured.binary.map((growth) => growth[place])),
    limit: { what: 'as JSON', value: summarise(measured.json.map((growth) => growth[place])) },
  }));
}

/** MiB for each prediction in flight. */
type Growth = Readonly<Record<(typeof PLACES)[number], number>>;

function growthUnderLoad(body: InferBody, quick: boolean): Promise<Growth> {
  return withBenchStack(MODELS, async ({ stack, redis }) => {
    const readers = {
      API: () => residentBytes(stack.api.pid),
      'worker and runner': () => residentBytes(stack.workers[0]?.pid ?? 0),
      Redis: async () => {
        const [, bytes] = /^used_memory:(\d+)/m.exec(await redis.client.info('memory')) ?? [];
        return Number(bytes);
      },
    };
    const load = loadOf(body, stack.apiUrl, quick ? 2 : 5);
    const growth = await memoryGrowth(readers, () => requestsPerSecond(load));
    const perPrediction = PLACES.map((place) => [place, growth[place] / CALLERS / 2 ** 20]);
    return Object.fromEntries(perPrediction) as Growth;
  });
}

function loadOf(body: InferBody, base: string, seconds: number): HttpLoad {
  return { ...body, url: `${base}${PATH}`, callers: CALLERS, seconds };
}
