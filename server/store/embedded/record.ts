import type { Fence, StreamEnd, StreamInit } from '../types.ts';
import { expiryKey, openKey, recordKey, trashKey, type Sid } from './keys.ts';
import type { Writes } from './operations.ts';

/** Record of a stream, stored beside its chunks. */
export interface StreamRecord extends StreamInit {
  readonly sid: Sid;
  /**
   * Time at which the stream may expire, in milliseconds since 1970. Never earlier than the TTL requires, usually
   * later.
   */
  readonly expiresAt: number;
  /** Set once the stream is closed, and so is `tail`. The tail of an open stream is the end of its last chunk. */
  readonly end?: StreamEnd;
  readonly tail?: number;
  /** Number of times that the stream was adopted. Undefined for 0. */
  readonly fence?: Fence;
}

export const encodeRecord = (record: StreamRecord): Buffer => Buffer.from(JSON.stringify(record));

export const decodeRecord = (value: Buffer): StreamRecord => JSON.parse(value.toString()) as StreamRecord;

const LARGEST_SLACK_MS = 600_000;

/**
 * Maximum milliseconds by which a stream's stored expiry may exceed its TTL: an eighth of the TTL, at most ten minutes.
 * The expiry of a stream that is read all the time is rewritten once per slack instead of at every read.
 */
export const slackMs = (ttlSeconds: number): number =>
  Math.min(Math.ceil(ttlSeconds * 125), LARGEST_SLACK_MS);

/** Latest deadline: keys have 48 bits for a time (until the year 10889), and an expiry is later by the slack. */
const LATEST_DEADLINE = 2 ** 48 - 2 - LARGEST_SLACK_MS;

/** Returns the time until which something that was used at `usedAt` must be kept, both in milliseconds since 1970. */
export const deadlineOf = (usedAt: number, ttlSeconds: number): number =>
  Math.min(usedAt + Math.ceil(ttlSeconds * 1_000), LATEST_DEADLINE);

/** Removes a stream from all indexes, and leaves its chunks to the sweeper. Does not remove its record. */
export function eraseStream(to: Writes, sid: Sid, id: string, expiresAt: number): void {
  to.remove(openKey(sid));
  to.remove(expiryKey(expiresAt, sid));
  to.put(trashKey(sid), Buffer.from(id));
}

/** The stream of a record. */
export interface RecordOwner {
  readonly id: string;
  readonly sid: Sid;
  readonly fence: Fence;
  /** Time at which the stream may expire, in milliseconds since 1970. */
  readonly deadline: number;
}

/** What a record contains after a commit. */
export interface RecordChange {
  /** Properties of the stream. */
  readonly init: StreamInit;
  readonly end: StreamEnd | undefined;
  /** True if the commit closes the stream. */
  readonly isClosing: boolean;
  /** Position after the last byte. */
  readonly tail: number;
  /** Expiry on disk before the commit. 0 if there is no record yet. */
  readonly expiresAt: number;
}

/** Writes a stream's record and the changes of its indexes. Returns the expiry that is then on disk. */
export function writeRecord(
  to: Writes,
  { id, sid, fence, deadline }: RecordOwner,
  change: RecordChange,
): number {
  const { init, end, isClosing, tail } = change;
  const isNew = change.expiresAt === 0;
  let { expiresAt } = change;
  if (deadline > expiresAt) {
    if (!isNew) to.remove(expiryKey(expiresAt, sid));
    expiresAt = deadline + slackMs(init.ttlSeconds);
    to.put(expiryKey(expiresAt, sid), Buffer.from(id));
  }
  if (isNew && !isClosing && !init.outlivesProcess) to.put(openKey(sid), Buffer.from(id));
  if (!isNew && isClosing) to.remove(openKey(sid));
  const record = { sid, ...init, expiresAt, ...(fence > 0 && { fence }), ...(end && { end, tail }) };
  to.put(recordKey(id), encodeRecord(record));
  return expiresAt;
}
