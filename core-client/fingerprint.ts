import type { UpstreamRequest } from './request.ts';

/**
 * Returns a hash of method, URL and body, which identifies a request. Headers are not part of it: a renewed token does
 * not make another request, and the hash reveals nothing about it.
 */
export async function fingerprint({ method, url, body }: UpstreamRequest): Promise<string> {
  return (await digestText(`${method} ${url}`)) + (body ? await digest(body) : '');
}

/** Returns 128 bits of SHA-256 in hex. Pages without a secure context have no SHA-256: there, returns a weaker hash. */
export async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const sha256 = await (crypto as Partial<Crypto>).subtle?.digest('SHA-256', bytes);
  return sha256 ? hex(new Uint8Array(sha256, 0, 16)) : weakHash(bytes);
}

/** Returns the digest of the UTF-8 bytes of a text. */
export function digestText(text: string): Promise<string> {
  return digest(new TextEncoder().encode(text));
}

/** Returns 128 random bits in hex. `crypto.randomUUID` is missing in insecure contexts, `getRandomValues` is not. */
export function randomId(): string {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Four variants of FNV-1a: not cryptographic. The shift carries high bits down, which a multiplication does not. */
function weakHash(bytes: Uint8Array): string {
  const seeds = Uint32Array.of(1, 3, 5, 7);
  return seeds
    .map((seed) =>
      bytes.reduce((hash, byte) => Math.imul(hash ^ byte ^ (hash >>> 15), 0x01000193 * seed), seed),
    )
    .join('-');
}
