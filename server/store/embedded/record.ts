import type { Fence, StreamEnd, StreamInit } from '../types.ts';
import { expiryKey, openKey, trashKey, type Sid } from './keys.ts';
import type { Writes } from './operations.ts';

/** What is stored of a stream beside its bytes. */
export interface StreamRecord extends StreamInit {
  readonly sid: Sid;
  /** When it may go, in milliseconds since 1970: never earlier than the TTL says, somewhat later as a rule. */
  readonly expiresAt: number;
  /** There when the stream is closed; then `tail` is too. The tail of an open one is behind its last chunk. */
  readonly end?: StreamEnd;
  readonly tail?: number;
  /** Absent for 0. */
  readonly fence?: Fence;
}

export const encodeRecord = (record: StreamRecord): Buffer => Buffer.from(JSON.stringify(record));

export const decodeRecord = (value: Buffer): StreamRecord => JSON.parse(value.toString()) as StreamRecord;

const LARGEST_SLACK_MS = 600_000;

/**
 * How much later than its TTL a stream's stored expiry may be: an eighth, at most ten minutes. A stream that
 * is read all the time has its expiry rewritten once per slack instead of at every read.
 */
export const slackMs = (ttlSeconds: number): number =>
  Math.min(Math.ceil(ttlSeconds * 125), LARGEST_SLACK_MS);

/** Takes a stream out of all indexes and leaves its chunks to the sweeper. Its record is another matter. */
export function eraseStream(to: Writes, sid: Sid, id: string, expiresAt: number): void {
  to.remove(openKey(sid));
  to.remove(expiryKey(expiresAt, sid));
  to.put(trashKey(sid), Buffer.from(id));
}
