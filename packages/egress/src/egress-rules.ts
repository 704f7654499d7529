import type { AllowRule } from './address-rules.ts';

/** Which addresses that clients name may be reached. */
export interface EgressRules {
  /** What may be reached though it is not public. */
  readonly allow: readonly AllowRule[];
  /** Refuses `http://`, but for what `allow` names. */
  readonly httpsOnly: boolean;
}

/** The rules as the settings of a process have them. */
export function egressRules(settings: {
  readonly egressAllow: readonly AllowRule[];
  readonly egressHttpsOnly: boolean;
}): EgressRules {
  return { allow: settings.egressAllow, httpsOnly: settings.egressHttpsOnly };
}
