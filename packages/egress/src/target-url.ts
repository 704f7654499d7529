import { isIP } from 'node:net';
import { QuernError } from '@quern/contract';
import { isAddressAllowed, isHostAllowed } from './address-rules.ts';
import type { EgressRules } from './egress-rules.ts';

export const MAX_URL_LENGTH = 2048;

/**
 * Reads a URL that a client names and refuses what can be refused without asking the DNS: its form, its
 * scheme, credentials in it, and addresses written out (in whatever notation) that are not allowed.
 * @param field where the URL stands, for the message and as `details.path`
 * @throws QuernError `INVALID_REQUEST` for its form, `ADDRESS_REFUSED` by the rules
 */
export function parseTargetUrl(text: string, rules: EgressRules, field: string): URL {
  if (text.length > MAX_URL_LENGTH) {
    throw invalid(field, `a URL of ${text.length} characters, expected at most ${MAX_URL_LENGTH}`);
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw invalid(field, 'no URL, expected one such as https://example.com/x');
  const { protocol } = url;
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw invalid(field, `the scheme ${protocol}//, expected https:// or http://`);
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(field, 'a URL with credentials in it, which would show in logs; leave them out');
  }
  const host = hostOf(url);
  assertHostAllowed(host, rules, field);
  const isNamed = isHostAllowed(host, rules.allow) || isOnlyAllowedByRange(host, rules);
  if (protocol === 'http:' && rules.httpsOnly && !isNamed) {
    throw refused(field, `${shownUrl(url)} is plain http, and QUERN_EGRESS_HTTPS_ONLY is set`);
  }
  return url;
}

/** A URL as it may be shown and logged: without its query and fragment, which often hold secrets. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** The host of a URL as `net.connect` takes it: an IPv6 address without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

/** @throws QuernError `ADDRESS_REFUSED` if the host is an address, or localhost, that is not allowed */
export function assertHostAllowed(host: string, rules: EgressRules, field?: string): void {
  if (isHostAllowed(host, rules.allow)) return;
  const addresses = addressesOf(host);
  if (addresses.length === 0) return;
  if (addresses.some((address) => isAddressAllowed(address, rules.allow))) return;
  throw refused(field, `${host} is not a public address`);
}

/** An error that says what to do, for a target that the rules refuse. */
export function refused(field: string | undefined, what: string): QuernError {
  return new QuernError(
    'ADDRESS_REFUSED',
    `${field === undefined ? '' : `${field}: `}${what}. The operator can allow it with QUERN_EGRESS_ALLOW.`,
    field === undefined ? {} : { details: { path: field } },
  );
}

function invalid(field: string, got: string): QuernError {
  return new QuernError('INVALID_REQUEST', `${field}: got ${got}`, { details: { path: field } });
}

/** The addresses that a host has without asking the DNS. */
function addressesOf(host: string): string[] {
  if (isIP(host) !== 0) return [host];
  return /(^|\.)localhost\.?$/i.test(host) ? ['127.0.0.1', '::1'] : [];
}

function isOnlyAllowedByRange(host: string, rules: EgressRules): boolean {
  return addressesOf(host).some(
    (address) => !isAddressAllowed(address, []) && isAddressAllowed(address, rules.allow),
  );
}
