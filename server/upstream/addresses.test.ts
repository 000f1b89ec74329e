import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPrivateAddress } from './addresses.ts';

/** First and last addresses of the ranges, and those just outside. */
const PRIVATE_IPV4 = [
  ...['0.0.0.0', '0.255.255.255', '10.0.0.0', '10.255.255.255', '100.64.0.0', '100.127.255.255'],
  ...['100.100.100.200', '127.0.0.1', '127.255.255.255', '169.254.0.0', '169.254.169.254', '169.254.255.255'],
  ...['172.16.0.0', '172.31.255.255', '192.0.0.1', '192.0.0.192', '192.0.2.1', '192.88.99.1', '192.168.0.0'],
  ...['192.168.255.255', '198.18.0.0', '198.19.255.255', '198.51.100.7', '203.0.113.7', '224.0.0.1'],
  ...['239.255.255.255', '240.0.0.0', '255.255.255.255', '168.63.129.16'],
];
const PUBLIC_IPV4 = [
  ...[
    '1.0.0.0',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
  ],
  ...['169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0', '192.167.255.255'],
  ...['192.169.0.0', '198.17.255.255', '198.20.0.0', '203.0.112.255', '203.0.114.0', '223.255.255.255'],
  ...['8.8.8.8', '168.63.129.17'],
];

const hex = (ipv4: string) => {
  const [a, b, c, d] = ipv4.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
  return `${a}${b}:${c}${d}`;
};

describe('isPrivateAddress', () => {
  it.each(PRIVATE_IPV4)('%s is private, also inside IPv6', (ip) => {
    expect(isPrivateAddress(ip)).toBe(true);
    expect(isPrivateAddress(`::ffff:${ip}`)).toBe(true);
    expect(isPrivateAddress(`::ffff:${hex(ip)}`)).toBe(true);
    expect(isPrivateAddress(`0:0:0:0:0:FFFF:${hex(ip)}`)).toBe(true);
    expect(isPrivateAddress(`64:ff9b::${ip}`)).toBe(true);
    expect(isPrivateAddress(`2002:${hex(ip)}::1`)).toBe(true);
    expect(isPrivateAddress(`::${ip}`)).toBe(true);
  });

  it.each(PUBLIC_IPV4)('%s is public, also embedded in IPv6', (ip) => {
    expect(isPrivateAddress(ip)).toBe(false);
    expect(isPrivateAddress(`::ffff:${ip}`)).toBe(false);
    expect(isPrivateAddress(`64:ff9b::${hex(ip)}`)).toBe(false);
    expect(isPrivateAddress(`2002:${hex(ip)}::1`)).toBe(false);
  });

  it.each([
    ...[
      '::',
      '::1',
      '::8.8.8.8',
      '::ffff:0:8.8.8.8',
      '64:ff9b:1::1',
      '64:ff9b:0:1::1',
      '100::1',
      '100:0:0:1::',
    ],
    ...['2001::1', '2001:0:4136:e378::', '2001:2::1', '2001:10::1', '2001:1ff::1', '2001:db8::1', '3fff::1'],
    ...[
      '5f00::1',
      'fc00::1',
      'fd00:ec2::254',
      'fe80::1',
      'fe80::1%eth0',
      '2606:4700::1%1',
      'febf::1',
      'fec0::1',
    ],
    ...['ff02::1', '4000::1', '1fff::1'],
  ])('%s is private', (ip) => {
    expect(isPrivateAddress(ip)).toBe(true);
  });

  it.each([
    '2606:4700:4700::1111',
    '2a00:1450:4001::1',
    '2001:200::1',
    '2001:4860:4860::8888',
    '3ffe::1',
    '2003::1',
  ])('%s is public', (ip) => {
    expect(isPrivateAddress(ip)).toBe(false);
  });

  it.each(['', 'localhost', '127.1', '0x7f.0.0.1', '010.0.0.1', '[::1]', '8.8.8.8 ', '8.8.8.8/32'])(
    'treats %j, which is not an address, as private',
    (text) => {
      expect(isPrivateAddress(text)).toBe(true);
    },
  );

  it('treats every embedded IPv4 address like that address', () => {
    const rfc1918 = new BlockList();
    rfc1918.addSubnet('10.0.0.0', 8);
    rfc1918.addSubnet('172.16.0.0', 12);
    rfc1918.addSubnet('192.168.0.0', 16);
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        const own = isPrivateAddress(ip);
        if (rfc1918.check(ip)) expect(own).toBe(true);
        for (const prefix of ['::ffff:', '64:ff9b::']) expect(isPrivateAddress(prefix + ip)).toBe(own);
        expect(isPrivateAddress(`2002:${hex(ip)}:abcd::1`)).toBe(own);
      }),
      { numRuns: 2_000 },
    );
  });
});
