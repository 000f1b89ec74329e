import type { Fence, StreamEnd, StreamInit } from '../types.ts';
import { expiryKey, openKey, recordKey, trashKey, type Sid } from './keys.ts';
import type { Writes } from './operations.ts';

/** Record of a stream, stored besides its chunks. */
export interface StreamRecord extends StreamInit {
  readonly sid: Sid;
  /** When it may expire, in milliseconds since 1970. Never earlier than the TTL requires, usually somewhat later. */
  readonly expiresAt: number;
  /** Set once the stream is closed, and so is `tail`. The tail of an open stream is the end of its last chunk. */
  readonly end?: StreamEnd;
  readonly tail?: number;
  /** Undefined for 0. */
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

/** Removes a stream from all indexes, and leaves its chunks to the sweeper. Does not remove its record. */
export function eraseStream(to: Writes, sid: Sid, id: string, expiresAt: number): void {
  to.remove(openKey(sid));
  to.remove(expiryKey(expiresAt, sid));
  to.put(trashKey(sid), Buffer.from(id));
}

/** State of a stream's record and what one commit changes. */
export interface RecordChange {
  readonly id: string;
  readonly sid: Sid;
  /** Properties of the stream after the commit. */
  readonly init: StreamInit;
  /** True if the commit adds metadata entries. */
  readonly isAnnotated: boolean;
  readonly fence: Fence;
  /** End that was stored before. */
  readonly end: StreamEnd | undefined;
  /** End that the commit stores. */
  readonly closing: StreamEnd | undefined;
  /** Position after the commit. */
  readonly tail: number;
  /** When the stream may expire, in milliseconds since 1970. */
  readonly deadline: number;
  /** Expiry on disk. 0 if there is no record yet. */
  readonly expiresAt: number;
}

/** Writes the changes of a stream's record and its indexes. Returns the expiry that is then on disk. */
export function writeRecord(to: Writes, change: RecordChange): number {
  const { id, sid, init, isAnnotated, fence, closing, tail, deadline } = change;
  const isNew = change.expiresAt === 0;
  let { expiresAt } = change;
  if (deadline > expiresAt) {
    if (!isNew) to.remove(expiryKey(expiresAt, sid));
    expiresAt = deadline + slackMs(init.ttlSeconds);
    to.put(expiryKey(expiresAt, sid), Buffer.from(id));
  } else if (!closing && !isAnnotated) return expiresAt;
  if (isNew && !closing && !init.outlivesProcess) to.put(openKey(sid), Buffer.from(id));
  if (!isNew && closing) to.remove(openKey(sid));
  const end = closing ?? change.end;
  const record = { sid, ...init, expiresAt, ...(fence > 0 && { fence }), ...(end && { end, tail }) };
  to.put(recordKey(id), encodeRecord(record));
  return expiresAt;
}
