/**
 * The keys and channels of one stream. The id in braces is its hash tag, so that a cluster keeps them in one
 * slot, where one script may touch them all.
 */
export interface StreamKeys {
  /** Hash: what the stream is, its tail and its end. */
  readonly meta: string;
  /** Redis Stream: the bytes. An entry's id is the position behind its bytes. */
  readonly log: string;
  /** Channel: everything that happens to the stream. */
  readonly live: string;
  /** Channel: what others than its creator do to it. */
  readonly foreign: string;
}

export function keysOf(prefix: string, id: string): StreamKeys {
  // The scripts derive the channels from the name of the hash.
  const base = `${prefix}{${id}}:`;
  return { meta: `${base}meta`, log: `${base}log`, live: `${base}live`, foreign: `${base}foreign` };
}
