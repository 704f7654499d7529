import { modelSignatureSchema, type ServedModel, servedModelSchema } from '@quern/contract';
import { z } from 'zod';

const MINUTE_MS = 60_000;
/** When a version was last published is noted this finely, so that few heartbeats write. */
const SEEN_STEP_MS = MINUTE_MS / 2;
/** A version that was last published so long before others of its model is outdated. */
const OUTDATED_AFTER_MS = 2 * MINUTE_MS;
/** A version that nobody has published for so long is forgotten when others of its model are published. */
const FORGOTTEN_AFTER_MS = 7 * 24 * 60 * MINUTE_MS;

/**
 * What is kept of a model for the time when no worker serves it: the settings of the worker that started
 * last, and each version that some worker has loaded. Settings that a worker publishes count only if it
 * has loaded a version.
 *
 * A version that is published no more, while others of its model are, was taken away, or its worker is
 * down. For two minutes it counts like any other; then, if no worker lives, an older one that was
 * published since is the default; and after a week a worker that publishes the others forgets it. With
 * no such worker nothing is forgotten.
 */
export const knownRecordSchema = servedModelSchema.omit({ stats: true }).extend({
  /** When the worker started that the settings are of. */
  startedAtMs: z.number().default(0),
  versions: z.array(
    z.object({
      version: z.number().int().positive(),
      signature: modelSignatureSchema,
      labels: z.array(z.string()).optional(),
      /** When a worker last published it. */
      seenAtMs: z.number().default(0),
    }),
  ),
});
export type KnownRecord = z.infer<typeof knownRecordSchema>;
type RecordedVersion = KnownRecord['versions'][number];

/** What one worker says of a model, and when. */
export interface Publication {
  readonly model: ServedModel;
  /** When the worker started. */
  readonly startedAtMs: number;
  readonly nowMs: number;
}

/** True if a worker has something to say that is to be kept. */
export function hasLoaded({ versions }: ServedModel): boolean {
  return versions.some(({ signature }) => signature !== undefined);
}

/**
 * The record with what a worker publishes merged in. The same publication within half a minute changes
 * nothing, down to the order of keys, whichever worker it comes from.
 * @param publication of a model for which `hasLoaded` is true
 */
export function mergeRecord(
  known: KnownRecord | undefined,
  { model, startedAtMs, nowMs }: Publication,
): KnownRecord {
  const settings =
    known !== undefined && known.startedAtMs > startedAtMs ? known : { ...model, startedAtMs };
  const recorded = known?.versions ?? [];
  const published = model.versions.flatMap(({ version, signature, labels }): RecordedVersion[] => {
    const before = recorded.find((candidate) => candidate.version === version);
    const seenAtMs = before === undefined ? nowMs : stamp(before.seenAtMs, nowMs);
    // A worker that cannot load a version must not hide what another one knows of it.
    if (signature === undefined) return before === undefined ? [] : [{ ...before, seenAtMs }];
    return [{ version, signature, seenAtMs, ...(labels !== undefined && { labels }) }];
  });
  const others = recorded.filter(
    ({ version, seenAtMs }) =>
      nowMs - seenAtMs < FORGOTTEN_AFTER_MS &&
      !model.versions.some((candidate) => candidate.version === version),
  );
  const versions = [...published, ...others].sort((a, b) => b.version - a.version);
  return knownRecordSchema.parse({ ...settings, versions });
}

/** The versions that workers have ceased to publish. */
export function outdatedVersions({ versions }: KnownRecord): ReadonlySet<number> {
  const lastSeenAtMs = Math.max(...versions.map(({ seenAtMs }) => seenAtMs));
  const outdated = versions.filter(({ seenAtMs }) => lastSeenAtMs - seenAtMs >= OUTDATED_AFTER_MS);
  return new Set(outdated.map(({ version }) => version));
}

function stamp(seenAtMs: number, nowMs: number): number {
  return nowMs - seenAtMs < SEEN_STEP_MS ? seenAtMs : nowMs;
}
