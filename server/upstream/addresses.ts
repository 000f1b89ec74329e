import { BlockList, isIP } from 'node:net';

/**
 * Ranges that are not public according to the IANA special-purpose registry for IPv4 (RFC 6890 and its updates),
 * multicast, and reserved ranges.
 */
const SPECIAL_IPV4 = [
  ['0.0.0.0', 8], // this network; 0.0.0.0 reaches the local host
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // carrier-grade NAT, and metadata services in some clouds
  ['127.0.0.0', 8], // loopback
  ['169.254.0.0', 16], // link-local, and metadata services in most clouds
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // 6to4 relays, deprecated
  ['192.168.0.0', 16], // private
  ['198.18.0.0', 15], // benchmarking
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, and limited broadcast
  ['168.63.129.16', 32], // in no registry: the host of an Azure virtual machine
] as const;

/** Parts of 2000::/3 that are not public. */
const SPECIAL_IPV6 = [
  ['2001::', 23], // protocol assignments, with Teredo, benchmarking and ORCHID
  ['2001:db8::', 32], // documentation
  ['3fff::', 20], // documentation
] as const;

const specialIpv4 = new BlockList();
for (const [net, bits] of SPECIAL_IPV4) specialIpv4.addSubnet(net, bits, 'ipv4');

/** The public part of IPv6, and the two prefixes that embed all of IPv4. */
const publicIpv6 = new BlockList();
publicIpv6.addSubnet('2000::', 3, 'ipv6');
publicIpv6.addSubnet('64:ff9b::', 96, 'ipv6');
publicIpv6.addSubnet('::ffff:0:0', 96, 'ipv6');

const specialIpv6 = new BlockList();
for (const [net, bits] of SPECIAL_IPV6) specialIpv6.addSubnet(net, bits, 'ipv6');
// The same private IPv4 ranges, with each prefix that routers or stacks translate to IPv4.
for (const [net, bits] of SPECIAL_IPV4) {
  specialIpv6.addSubnet(`::ffff:${net}`, 96 + bits, 'ipv6'); // mapped (RFC 4291)
  specialIpv6.addSubnet(`64:ff9b::${net}`, 96 + bits, 'ipv6'); // NAT64 (RFC 6052)
  specialIpv6.addSubnet(sixToFour(net), 16 + bits, 'ipv6'); // 6to4 (RFC 3056)
}

/**
 * Returns true for an IP address that is not public: private, loopback, link-local, shared, multicast, reserved, for
 * documentation, or IPv6 that embeds such an IPv4 address. Text that is not an IP address, and an address with a zone,
 * count as private.
 */
export function isPrivateAddress(ip: string): boolean {
  switch (isIP(ip)) {
    case 4:
      return specialIpv4.check(ip, 'ipv4');
    case 6:
      if (ip.includes('%')) return true;
      return !publicIpv6.check(ip, 'ipv6') || specialIpv6.check(ip, 'ipv6');
    default:
      return true;
  }
}

function sixToFour(ipv4: string): string {
  const hex = ipv4.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
  return `2002:${hex[0]}${hex[1]}:${hex[2]}${hex[3]}::`;
}
