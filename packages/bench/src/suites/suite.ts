import type { Figure } from '../report.ts';

export interface SuiteOptions {
  /** Fewer and shorter runs: to see that the bench works, not to quote. */
  readonly quick: boolean;
  readonly log: (line: string) => void;
}

/** A group of measurements that share processes. */
export type Suite = (options: SuiteOptions) => Promise<Figure[]>;
