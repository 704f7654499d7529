import type { EgressRules } from './egress-rules.ts';
import { redirectFault } from './request-faults.ts';
import { parseTargetUrl, shownUrl } from './target-url.ts';

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Whether an answer sends the request elsewhere. */
export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status);
}

/**
 * Where an answer sends the request, checked as its first address was.
 * @throws QuernError as `parseTargetUrl`; `FOREIGN_HOST_FAILED` if it names nothing or leaves https
 */
export function redirectTarget(from: URL, location: string | undefined, rules: EgressRules): URL {
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw redirectFault(from, 'answers with a redirect to no readable URL');
  }
  const target = parseTargetUrl(new URL(location, from).href, rules, `redirect of ${from.host}`);
  if (from.protocol === 'https:' && target.protocol === 'http:') {
    throw redirectFault(from, `redirects from https to ${shownUrl(target)}, which is not followed`);
  }
  return target;
}
