import { jsonText } from '../output/json-text.ts';
import { rateText } from '../output/readable-numbers.ts';
import { tableText } from '../output/table.ts';
import type { ModelView } from './model-view.ts';
import type { ProfileView, RunTimesView } from './profile-view.ts';
import type { ShowOptions } from './show-models.ts';

const HEADING = ['ROWS', 'TIME MS', 'ROWS/S', 'RUNS', ''];
const BAR_WIDTH = 30;

/** Prints what is known of a model's run times. */
export async function showProfile(
  name: string,
  { client, screen, json }: ShowOptions,
): Promise<void> {
  const model = await client.model(name, { profile: true });
  screen.write(`${json ? jsonText(model) : profileText(model)}\n`);
}

/** Forgets what is known of a model's run times, and says what that was. */
export async function resetProfile(
  name: string,
  { client, screen, json }: ShowOptions,
): Promise<void> {
  const reset = await client.resetProfile(name);
  const { forgotten, versions } = reset;
  const text =
    `Forgot ${forgotten} ${forgotten === 1 ? 'profile' : 'profiles'} of ${name} ` +
    `(${versions.length === 1 ? 'version' : 'versions'} ${versions.join(', ')}); workers that run learn anew.`;
  screen.write(`${json ? jsonText(reset) : text}\n`);
}

/** The run times of every version, a table for each shape. */
export function profileText(model: ModelView): string {
  const blocks = model.versions.flatMap(({ version, profiles = [] }) =>
    profiles.flatMap((profile) => [
      `${model.name}:${version} on ${profile.device} (${profile.execution_provider}), saved ${profile.saved_at}`,
      ...tables(profile),
    ]),
  );
  if (blocks.length > 0) return blocks.join('\n\n');
  return `Nothing is known of the run times of ${model.name} yet: they are stored a few seconds after a worker has loaded it.`;
}

function tables({ lanes, warm_up: warmUp }: ProfileView): string[] {
  const learnt = lanes.map((lane) => table(lane, `rows of shape ${lane.lane || '[]'}, learnt`));
  if (learnt.length > 0 || warmUp.sizes.length === 0) return learnt;
  return [table(warmUp, 'measured at warm-up')];
}

function table({ sizes, knee }: RunTimesView, title: string): string {
  const best = Math.max(...sizes.map((size) => size.rows_per_second));
  const kneeSize = knee === null ? undefined : closestTo(knee, sizes);
  const rows = sizes.map((size) => [
    rateText(size.rows),
    size.time_ms.toPrecision(3),
    rateText(size.rows_per_second),
    String(size.runs),
    bar(size.rows_per_second / best) + (size === kneeSize ? '  <- best size' : ''),
  ]);
  return `  ${title}\n${indented(tableText(HEADING, rows))}`;
}

/** The knee is a whole number, and sizes are means of batches of about a size. */
function closestTo(
  knee: number,
  sizes: RunTimesView['sizes'],
): RunTimesView['sizes'][number] | undefined {
  return sizes.toSorted((a, b) => Math.abs(a.rows - knee) - Math.abs(b.rows - knee))[0];
}

function bar(share: number): string {
  return '#'.repeat(Math.max(1, Math.round(share * BAR_WIDTH)));
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
