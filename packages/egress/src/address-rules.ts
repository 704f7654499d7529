import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** What an operator lets requests reach besides public addresses. */
export type AllowRule =
  | { readonly kind: 'host'; readonly host: string }
  | { readonly kind: 'range'; readonly network: IpAddress; readonly prefixLength: number };

type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;

/** Allocated unicast addresses of IPv6; all of its special ranges within are named by `ipaddr.js`. */
const GLOBAL_UNICAST_V6 = ipaddr.IPv6.parseCIDR('2000::/3');

/** Public by its number, but answered by every virtual machine's own host at Azure. */
const PLATFORM_ADDRESSES: ReadonlySet<string> = new Set(['168.63.129.16']);

const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9_])?)*$/;

/**
 * Reads one rule: a range (`10.1.0.0/16`), an address (`10.1.2.3`, `fd00::1`) or a host name, which may
 * then have any address. Undefined if it is none of these.
 */
export function parseAllowRule(text: string): AllowRule | undefined {
  if (ipaddr.isValidCIDR(text)) {
    const [network, prefixLength] = ipaddr.parseCIDR(text);
    return { kind: 'range', network, prefixLength };
  }
  if (isIP(text) !== 0) {
    const network = ipaddr.parse(text);
    return { kind: 'range', network, prefixLength: network.kind() === 'ipv4' ? 32 : 128 };
  }
  const host = text.toLowerCase();
  const looksLikeAddress = /^[\d.]+$|[/:]/.test(host);
  return !looksLikeAddress && HOST_NAME.test(host) ? { kind: 'host', host } : undefined;
}

/** Whether a host name may have any address at all. */
export function isHostAllowed(host: string, allow: readonly AllowRule[]): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return allow.some((rule) => rule.kind === 'host' && rule.host === name);
}

/**
 * Whether an address may be connected to: a public one, or one within an allowed range. Private,
 * loopback, link-local (where clouds answer for metadata), unique-local, carrier-grade NAT, multicast,
 * documentation and reserved ranges are not public. IPv4 within IPv6 (mapped, or behind NAT64) counts
 * as the IPv4 address that it reaches.
 */
export function isAddressAllowed(address: string, allow: readonly AllowRule[]): boolean {
  // A zone (fe80::1%eth0) exists only for addresses that are not public.
  if (!ipaddr.isValid(address) || address.includes('%')) return false;
  const reached = reachedAddress(ipaddr.parse(address));
  return isPublic(reached) || allow.some((rule) => isWithin(reached, rule));
}

function reachedAddress(address: IpAddress): IpAddress {
  if (address instanceof ipaddr.IPv4) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  if (address.range() !== 'rfc6052') return address;
  return new ipaddr.IPv4(address.toByteArray().slice(12));
}

function isPublic(address: IpAddress): boolean {
  if (address.range() !== 'unicast' || PLATFORM_ADDRESSES.has(address.toString())) return false;
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_UNICAST_V6);
}

function isWithin(address: IpAddress, rule: AllowRule): boolean {
  if (rule.kind === 'host') return false;
  const { network, prefixLength } = rule;
  return address.kind() === network.kind() && address.match([network, prefixLength]);
}
