export {
  type AllowRule,
  isAddressAllowed,
  isHostAllowed,
  parseAllowRule,
} from './address-rules.ts';
export {
  type EgressAnswer,
  EgressClient,
  type EgressClientOptions,
  type EgressRequest,
} from './egress-client.ts';
export { type EgressRules, egressRules } from './egress-rules.ts';
export type { ResolveHost } from './guarded-connector.ts';
export { egressSettings } from './settings.ts';
export { MAX_URL_LENGTH, parseTargetUrl, shownUrl } from './target-url.ts';
