import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isAddressAllowed, isHostAllowed, parseAllowRule } from '../src/address-rules.ts';

const rules = (...texts: string[]) => texts.flatMap((text) => parseAllowRule(text) ?? []);

describe('addresses that are reached without being allowed', () => {
  test.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '2606:4700::1111', '::ffff:8.8.8.8'])(
    'are public ones: %s',
    (address) => expect(isAddressAllowed(address, [])).toBe(true),
  );

  test('are public ones behind NAT64', () => {
    expect(isAddressAllowed('64:ff9b::8.8.8.8', [])).toBe(true);
    expect(isAddressAllowed('64:ff9b::10.0.0.1', [])).toBe(false);
  });

  test.each([
    ['this machine', '127.0.0.1', '127.255.255.254', '::1', '0.0.0.0', '0.1.2.3', '::'],
    ['private', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fd00::1', 'fc00::1'],
    ['link-local', '169.254.0.1', 'fe80::1', 'fe80::1%eth0', 'fec0::1'],
    ['metadata', '169.254.169.254', 'fd00:ec2::254', '100.100.100.200', '168.63.129.16'],
    ['shared by a carrier', '100.64.0.1', '100.127.255.255'],
    ['for many', '224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1'],
    [
      'reserved',
      '192.0.0.8',
      '192.0.2.1',
      '198.18.0.1',
      '198.51.100.1',
      '203.0.113.9',
      '240.0.0.1',
    ],
    ['reserved in IPv6', '2001:db8::1', '2002:7f00:1::', '2001::1', '100::1', '4000::1', '5f00::1'],
    ['IPv4 within IPv6', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:a9fe:a9fe', '::127.0.0.1'],
    ['no addresses', 'localhost', '', '127.1', '1.2.3.4.5', '2130706433'],
  ])('are none that are %s', (_what, ...addresses) => {
    expect(addresses.filter((address) => isAddressAllowed(address, []))).toEqual([]);
  });

  test('are none of a private network, written as IPv4 or mapped into IPv6', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const inPrivate = fc.oneof(
      fc.tuple(fc.constant(10), octet, octet, octet),
      fc.tuple(fc.constant(127), octet, octet, octet),
      fc.tuple(fc.constant(192), fc.constant(168), octet, octet),
      fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), octet, octet),
    );
    fc.assert(
      fc.property(inPrivate, (octets) => {
        const address = octets.join('.');
        expect(isAddressAllowed(address, [])).toBe(false);
        expect(isAddressAllowed(`::ffff:${address}`, [])).toBe(false);
        expect(isAddressAllowed(address, rules(`${address}/32`))).toBe(true);
      }),
    );
  });
});

describe('what an operator allows', () => {
  test('is a range, an address or a host name', () => {
    const allow = rules('10.1.0.0/16', '127.0.0.1', 'fd00::/8', 'minio.internal');
    expect(isAddressAllowed('10.1.255.1', allow)).toBe(true);
    expect(isAddressAllowed('::ffff:10.1.255.1', allow)).toBe(true);
    expect(isAddressAllowed('10.2.0.1', allow)).toBe(false);
    expect(isAddressAllowed('127.0.0.1', allow)).toBe(true);
    expect(isAddressAllowed('127.0.0.2', allow)).toBe(false);
    expect(isAddressAllowed('fd12::1', allow)).toBe(true);
    expect(isHostAllowed('MINIO.internal.', allow)).toBe(true);
    expect(isHostAllowed('a.minio.internal', allow)).toBe(false);
  });

  test.each(['', '10.0.0.0/33', 'https://example.com', 'a b', '10.1', '*.example.com', 'host:80'])(
    'is not %j',
    (text) => expect(parseAllowRule(text)).toBeUndefined(),
  );
});
