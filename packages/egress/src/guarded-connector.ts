import type { LookupAddress } from 'node:dns';
import { lookup as lookUp } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { QuernError } from '@quern/contract';
import { buildConnector } from 'undici';
import { isAddressAllowed, isHostAllowed } from './address-rules.ts';
import type { EgressRules } from './egress-rules.ts';
import { assertHostAllowed, refused } from './target-url.ts';

/** All addresses of a host name; rejects if it has none. */
export type ResolveHost = (host: string) => Promise<readonly LookupAddress[]>;

/** As every other program of the machine resolves names: /etc/hosts first, then DNS. */
export const systemResolver: ResolveHost = (host) => lookUp(host, { all: true });

/**
 * Makes connections to allowed addresses alone. The addresses that are checked are the very ones handed
 * to the socket, so it is of no use to a name to change its address in between.
 */
export function guardedConnector(
  rules: EgressRules,
  resolveHost: ResolveHost,
  timeoutMs: number,
): buildConnector.connector {
  const connect = buildConnector({
    timeout: timeoutMs,
    lookup: guardedLookup(rules, resolveHost),
  });
  return (options, callback) => {
    try {
      // An address is connected to without being looked up.
      assertHostAllowed(options.hostname, rules);
    } catch (error) {
      callback(asError(error), null);
      return;
    }
    connect(options, callback);
  };
}

function guardedLookup(rules: EgressRules, resolveHost: ResolveHost): LookupFunction {
  return (host, options, callback) => {
    allowedAddresses(host, rules, resolveHost).then(
      (addresses) => {
        if (options.all === true) callback(null, [...addresses]);
        else callback(null, addresses[0].address, addresses[0].family);
      },
      (error: unknown) => callback(asError(error), []),
    );
  };
}

/** @throws QuernError `ADDRESS_REFUSED` if none of the host's addresses is allowed */
async function allowedAddresses(
  host: string,
  rules: EgressRules,
  resolveHost: ResolveHost,
): Promise<[LookupAddress, ...LookupAddress[]]> {
  const found = await resolveHost(host);
  const isNamed = isHostAllowed(host, rules.allow);
  const [first, ...rest] = isNamed
    ? found
    : found.filter(({ address }) => isAddressAllowed(address, rules.allow));
  if (first !== undefined) return [first, ...rest];
  const addresses = found.map(({ address }) => address).join(', ');
  throw refused(undefined, `${host} has no public address (got ${addresses || 'none'})`);
}

function asError(error: unknown): NodeJS.ErrnoException {
  return error instanceof Error ? error : new QuernError('INTERNAL', String(error));
}
