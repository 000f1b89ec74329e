import type { StorageLike } from './types.ts';

/** A storage that can check and remove an item atomically. */
export interface ConditionalStorage extends StorageLike {
  removeIf?(key: string, condition: (text: string) => boolean): Promise<unknown>;
}

/**
 * Removes an item if its current value meets a condition. If the storage is synchronous or has `removeIf`, this is
 * atomic: a value that another tab writes at the same time is not lost.
 */
export async function removeIf(
  storage: ConditionalStorage,
  key: string,
  condition: (text: string) => boolean,
): Promise<void> {
  if (storage.removeIf) {
    await storage.removeIf(key, condition);
    return;
  }
  const reading = storage.getItem(key);
  // Even with a synchronous value, `await` would let other tabs write before the removal.
  const text = reading instanceof Object ? await reading : reading;
  if (text != null && condition(text)) await storage.removeItem(key);
}
