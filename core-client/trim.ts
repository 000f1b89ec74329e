/** Maximum number of creates, of keys, of open calls and of reads that a client remembers. */
const MAX_REMEMBERED = 1_000;

/** Removes the oldest item of a collection that has grown too large. */
export function trim<T>(items: Map<T, unknown> | Set<T>): void {
  if (items.size > MAX_REMEMBERED) items.delete(items.keys().next().value!);
}
