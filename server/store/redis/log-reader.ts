import type { Reply } from './connection.ts';
import type { Requests } from './requests.ts';

/** Bytes that one command is expected to return at most. Larger replies cost Redis and the client more per byte. */
const REPLY_BYTES = 524_288;
/** Maximum number of entries that one command returns. */
const MAX_ENTRIES = 256;

/** Average bytes of an entry below which a script, which joins entries, costs less than parsing a reply of so many parts. */
export const MIN_ENTRY_BYTES = 2_048;

/** A part of a log. */
export interface LogBytes {
  readonly parts: readonly Buffer[];
  readonly size: number;
  /** Average bytes of the last entries. */
  readonly entryBytes: number;
}

export interface LogReadOptions {
  /** Key of the log. */
  readonly log: string;
  /** Position of the first byte. */
  readonly from: number;
  /** Maximum number of bytes. */
  readonly maxBytes: number;
  /** Size of an entry of this log, for the number of entries to request first. */
  readonly entryBytes: number;
}

/**
 * Reads the bytes of a log with `XREAD`, without a script: Lua copies each byte several times, which costs Redis seven times as much.
 * A stream under the same id may replace this one meanwhile, so the caller must compare epochs before and after.
 *
 * @returns fewer bytes if the log has no more, or if earlier ones are missing.
 */
export async function readLog(
  requests: Pick<Requests, 'ask'>,
  { log, from, maxBytes, entryBytes }: LogReadOptions,
): Promise<LogBytes> {
  const parts: Buffer[] = [];
  let size = 0;
  let average = entryBytes;
  while (size < maxBytes) {
    const at = from + size;
    const wanted = Math.min(REPLY_BYTES, maxBytes - size);
    // One more: the first entry may begin before the position.
    const count = Math.min(MAX_ENTRIES, Math.ceil(wanted / average) + 1);
    const args = ['XREAD', 'COUNT', String(count), 'STREAMS', log, `${at}-0`];
    const entries = await requests.ask(log, args, (reply) => entriesOf(reply, log));
    const found = addTo(parts, entries, { from: at, maxBytes: maxBytes - size });
    if (found === 0) break;
    size += found;
    average = Math.max(1, found / entries.length);
  }
  return { parts, size, entryBytes: average };
}

interface Entry {
  /** Position after the bytes. */
  readonly next: number;
  readonly bytes: Buffer;
}

/**
 * Returns the entries of a reply of `XREAD`, or undefined if it is not a reply for this log, whose key it must contain
 * (see `StrayReplyError`).
 */
function entriesOf(reply: Reply, log: string): readonly Entry[] | undefined {
  if (reply === null) return [];
  if (!Array.isArray(reply)) return undefined;
  // A list of pairs in RESP 2, and a map in RESP 3.
  const [key, entries] = (Array.isArray(reply[0]) ? reply[0] : reply) as readonly Reply[];
  if (String(key) !== log || !Array.isArray(entries)) return undefined;
  return (entries as readonly [Buffer, readonly [Buffer, Buffer]][]).map(([id, [, bytes]]) => ({
    next: Number.parseInt(String(id), 10),
    bytes,
  }));
}

/** Adds the bytes of entries from a position, up to the first gap. Returns their number. */
function addTo(
  parts: Buffer[],
  entries: readonly Entry[],
  { from, maxBytes }: Pick<LogReadOptions, 'from' | 'maxBytes'>,
): number {
  let size = 0;
  for (const { next, bytes } of entries) {
    const skip = from + size - (next - bytes.length);
    if (skip < 0 || skip >= bytes.length || size === maxBytes) break;
    const part = bytes.subarray(skip, skip + maxBytes - size);
    parts.push(part);
    size += part.length;
  }
  return size;
}
