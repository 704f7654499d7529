import { LOAD_SHAPES, type LoadShape } from './load-shape.ts';
import { bestFixedSize, type ModelProfile, PROFILES } from './model-profile.ts';

/** Which requests have deadlines: none, all a late one, all an early one, or a third of each. */
export type Deadlines = 'none' | 'loose' | 'tight' | 'mixed';

export const DEADLINES: readonly Deadlines[] = ['none', 'loose', 'tight', 'mixed'];

/** One setting in which all policies are compared. */
export interface Cell {
  readonly profile: ModelProfile;
  readonly load: LoadShape;
  readonly deadlines: Deadlines;
  /** Arrivals as a share of what all instances can do at the best size. */
  readonly utilisation: number;
  readonly instances: number;
}

const UTILISATIONS = [0.5, 0.8, 0.95, 1.2];
const INSTANCES = [1, 4, 16, 64];

/** Of the best batch's time. */
const LOOSE_FACTOR = 15;
const TIGHT_FACTOR = 2.5;
/** No deadline is tighter than this many times a run of one row. */
const TIGHT_SINGLE_FACTOR = 3;

export function allCells(quick: boolean): Cell[] {
  const cells: Cell[] = [];
  for (const profile of PROFILES) {
    for (const instances of quick ? INSTANCES.slice(0, 2) : INSTANCES) {
      for (const utilisation of UTILISATIONS) {
        for (const load of LOAD_SHAPES) {
          for (const deadlines of DEADLINES) {
            cells.push({ profile, load, deadlines, utilisation, instances });
          }
        }
      }
    }
  }
  return cells;
}

export function cellName({ profile, load, deadlines, utilisation, instances }: Cell): string {
  return `${profile.name}, ${load}, ${deadlines}, ${utilisation}, ${instances}`;
}

/** Milliseconds from arrival to the early and the late deadline. */
export function deadlineLengths(profile: ModelProfile): { tightMs: number; looseMs: number } {
  const bestMs = profile.timeMs(bestFixedSize(profile));
  return {
    tightMs: Math.max(TIGHT_FACTOR * bestMs, TIGHT_SINGLE_FACTOR * profile.timeMs(1)),
    looseMs: LOOSE_FACTOR * bestMs,
  };
}

/** What the instances of a cell do at most, in rows per millisecond. */
export function capacityPerMs({ profile, instances }: Cell): number {
  const best = bestFixedSize(profile);
  return (instances * best) / profile.timeMs(best);
}
