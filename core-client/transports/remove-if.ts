import type { StorageLike } from '../types.ts';

/** A storage that can remove an item depending on its value, in one step. */
export interface ConditionalStorage extends StorageLike {
  removeIf?(key: string, condition: (text: string) => boolean): Promise<unknown>;
}

/**
 * Removes an item if its present value meets a condition. In one step, so that nothing that another tab writes meanwhile
 * is lost, if the storage is synchronous or has `removeIf`.
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
  // `await` would let other tabs write, also after a value that is there already.
  const text = reading instanceof Object ? await reading : reading;
  if (text != null && condition(text)) await storage.removeItem(key);
}
