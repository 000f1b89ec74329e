import { DurableStorageError } from './errors.ts';
import { keysOf } from './storage.ts';
import type { StorageLike } from './types.ts';

/** Milliseconds after which an unchanged item expires: by default, servers forget streams and keys sooner. */
const LIFETIME_MS = 7 * 24 * 3_600_000;

/** Returns the text to store for a value. */
export function pack(value: unknown): string {
  return JSON.stringify([value, Date.now() + LIFETIME_MS]);
}

/**
 * Returns the value of a stored text, undefined if it has expired.
 * @throws SyntaxError, TypeError if the text is not one of `pack`.
 */
export function unpack(text: string): unknown {
  const [value, expires] = JSON.parse(text) as [unknown, number];
  return expires > Date.now() ? value : undefined;
}

/**
 * Removes all items of a scope.
 * @param root prefix of their keys.
 * @throws DurableStorageError if the storage fails or does not list its keys.
 */
export async function removeAll(storage: StorageLike, root: string): Promise<void> {
  try {
    for (const name of (await keysOf(storage))!) if (name.startsWith(root)) await storage.removeItem(name);
  } catch (cause) {
    throw failed('forget() failed: the storage failed, or does not list its keys', cause);
  }
}

/** Returns the error of a storage. */
export function failed(message: string, cause: unknown): DurableStorageError {
  return new DurableStorageError('STORAGE_FAILED', message, { cause });
}
