/**
 * The keys and channels of one stream. The id in braces is its hash tag, so that a cluster keeps them in one slot,
 * where one script may access them all.
 */
export interface RedisKeys {
  /** Hash: the properties of the stream, its tail and its end. */
  readonly meta: string;
  /** Redis Stream: the bytes. An entry's id is the position after its bytes. */
  readonly log: string;
  /** Channel: all changes of the stream. */
  readonly live: string;
  /** Channel: changes by processes other than the stream's creator. */
  readonly foreign: string;
}

export function keysOf(prefix: string, id: string): RedisKeys {
  // The scripts derive the channels from the name of the hash.
  const base = `${prefix}{${id}}:`;
  return { meta: `${base}meta`, log: `${base}log`, live: `${base}live`, foreign: `${base}foreign` };
}
