import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Maximum bytes of a text that is sealed. The result is stored in the metadata of a stream. */
export const MAX_SEALED_BYTES = 65_536;
const VERSION = 'v1.';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts texts with AES-256-GCM, so that only proxies with the same `jwtSecret` can read them. */
export class Seal {
  readonly #keys: readonly Uint8Array[];

  /** @param keys 32 bytes each. The first seals, all open. */
  constructor(keys: readonly Uint8Array[]) {
    this.#keys = keys;
  }

  /**
   * @param streamId id that is authenticated with the text, so that the result cannot be moved to another stream.
   * @returns undefined if the text is longer than `MAX_SEALED_BYTES`.
   */
  seal(streamId: string, text: string): string | undefined {
    const plain = Buffer.from(text, 'utf8');
    if (plain.length > MAX_SEALED_BYTES) return undefined;
    // A random IV of 96 bits for each of far fewer than 2^32 messages (NIST SP 800-38D, section 8.3).
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#keys[0]!, iv).setAAD(Buffer.from(streamId));
    const sealed = Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    return VERSION + sealed.toString('base64url');
  }

  /** Returns the text that was sealed for this stream, or undefined if it was changed or no key opens it. */
  open(streamId: string, sealed: string): string | undefined {
    if (!sealed.startsWith(VERSION)) return undefined;
    const bytes = Buffer.from(sealed.slice(VERSION.length), 'base64url');
    if (bytes.length < IV_BYTES + TAG_BYTES) return undefined;
    for (const key of this.#keys) {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(streamId)).setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const plain = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES));
        return Buffer.concat([plain, decipher.final()]).toString('utf8');
      } catch {
        // Sealed with another key.
      }
    }
    return undefined;
  }
}
