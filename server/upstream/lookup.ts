import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { ProxyError } from '../shared/errors.ts';
import { isPrivateAddress } from './addresses.ts';
import { comparableHost } from './pattern.ts';

/**
 * Wraps a lookup so that a name with any private address fails with ProxyError `UPSTREAM_NOT_ALLOWED`. Sockets connect
 * to exactly the addresses that this lookup returns, which prevents DNS rebinding.
 */
export function guardLookup(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found, family) => {
      if (error) return callback(error, []);
      const addresses: LookupAddress[] =
        typeof found === 'string' ? [{ address: found, family: family ?? 4 }] : found;
      const [first] = addresses;
      if (first === undefined)
        return callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), []);
      if (addresses.some(({ address }) => isPrivateAddress(address))) {
        return callback(privateAddress(hostname), []);
      }
      if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

/**
 * Resolves a host that another program will connect to, and returns one of its addresses. Returns an address as it is.
 * @param host without the brackets of an IPv6 address, or with them.
 * @param guard a lookup that rejects names that must not be reached: see `guardLookup`.
 * @throws the error of the guard; ProxyError `UPSTREAM_ERROR` if the name does not resolve here.
 */
export async function checkedAddress(host: string, guard: LookupFunction): Promise<string> {
  const name = comparableHost(host);
  if (isIP(name) !== 0) return name;
  const addresses = await new Promise<LookupAddress[]>((resolve, reject) =>
    guard(name, { all: true }, (error, found) => {
      if (!error) resolve(found as LookupAddress[]);
      else reject(error instanceof ProxyError ? error : unresolved(name, error));
    }),
  );
  // IPv4 first: the client that connects may have no IPv6, and gets a single address.
  return (addresses.find(({ family }) => family === 4) ?? addresses[0])?.address ?? '';
}

function unresolved(name: string, cause: NodeJS.ErrnoException): ProxyError {
  return new ProxyError(
    'UPSTREAM_ERROR',
    `${name} does not resolve on this machine (${cause.code ?? cause.name}), so its address cannot be checked. ` +
      'Name this host without a wildcard in the allowlist',
    { cause },
  );
}

/** Returns the error shown to callers. It does not contain the address, which would reveal the network of the proxy. */
export function privateAddress(host: string): ProxyError {
  return new ProxyError(
    'UPSTREAM_NOT_ALLOWED',
    `${host} has a private address. Name this host without a wildcard in the allowlist, or set allowPrivateNetworks`,
  );
}
