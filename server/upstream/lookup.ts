import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { ProxyError } from '../shared/errors.ts';
import { isPrivateAddress } from './addresses.ts';

/**
 * Wraps a lookup so that a name with any private address fails with ProxyError `UPSTREAM_NOT_ALLOWED`. A
 * socket connects to just the addresses that came out of here, so a name that changes its mind between two
 * questions gains nothing.
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

/** What a caller is told; not the address, which would map the network behind the proxy. */
export function privateAddress(host: string): ProxyError {
  return new ProxyError(
    'UPSTREAM_NOT_ALLOWED',
    `${host} has a private address. Name this host without a wildcard in the allowlist, or set allowPrivateNetworks`,
  );
}
