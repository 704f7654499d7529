import type { Policy } from '../world.ts';
import { additiveIncrease } from './additive-increase.ts';
import { fittedLine } from './fitted-line.ts';
import { fixedTimer } from './fixed-timer.ts';
import { ours } from './ours.ts';
import { preferredSizes } from './preferred-sizes.ts';
import { workConserving } from './work-conserving.ts';

/** Ours first. */
export const POLICIES: readonly [Policy, ...Policy[]] = [
  ours,
  preferredSizes,
  fittedLine,
  workConserving,
  additiveIncrease,
  fixedTimer,
];
