/**
 * The layout: one tree of binary keys. The first byte is the kind.
 *
 *     c sid offset     a chunk: bytes of the stream from that offset on
 *     s id             the stream's record
 *     o sid        id  streams that recovery has to close or remove: open ones, but not logs of keys and claims
 *     e time sid   id  when a stream may expire, in milliseconds: input of the sweeper
 *     t sid            chunks of a deleted stream that still have to be removed
 *     k id             a row of the coordinator: a claim, a name or a task
 *     x time id    id  when a row may expire, in milliseconds
 *     m                format of the store and the number of its openings
 *     j                the last commit of the journal that LMDB contains
 *
 * A `sid` is a number that is never used twice, so that remaining chunks cannot be mistaken for part of another stream
 * under the same id. Numbers are big-endian: LMDB sorts keys as bytes.
 */
const CHUNK = 0x63;
const RECORD = 0x73;
const OPEN = 0x6f;
const EXPIRY = 0x65;
const TRASH = 0x74;
const ROW = 0x6b;
const ROW_EXPIRY = 0x78;

/** An internal number of a stream: `opening * 2 ** 32 + serial`, exact as a double for two million openings. */
export type Sid = number;

export const META_KEY = Buffer.from('m');
export const JOURNALLED_KEY = Buffer.from('j');

export function encodeNumber(number: number): Buffer {
  const value = Buffer.allocUnsafe(8);
  value.writeDoubleBE(number);
  return value;
}

const UINT32 = 2 ** 32;

function writeSid(key: Buffer, sid: Sid, at: number): void {
  key.writeUInt32BE(Math.floor(sid / UINT32), at);
  key.writeUInt32BE(sid % UINT32, at + 4);
}

function readSid(key: Buffer, at: number): Sid {
  return key.readUInt32BE(at) * UINT32 + key.readUInt32BE(at + 4);
}

export function sidOf(opening: number, serial: number): Sid {
  return opening * UINT32 + serial;
}

export function chunkKey(sid: Sid, offset: number): Buffer {
  const key = Buffer.allocUnsafe(15);
  key[0] = CHUNK;
  writeSid(key, sid, 1);
  key.writeUIntBE(offset, 9, 6);
  return key;
}

export const chunkOffset = (key: Buffer): number => key.readUIntBE(9, 6);

export const recordKey = (id: string): Buffer => Buffer.from(String.fromCharCode(RECORD) + id);

export function openKey(sid: Sid): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = OPEN;
  writeSid(key, sid, 1);
  return key;
}

export const openSid = (key: Buffer): Sid => readSid(key, 1);

export function expiryKey(time: number, sid: Sid): Buffer {
  const key = Buffer.allocUnsafe(15);
  key[0] = EXPIRY;
  key.writeUIntBE(time, 1, 6);
  writeSid(key, sid, 7);
  return key;
}

export const expiryTime = (key: Buffer): number => key.readUIntBE(1, 6);
export const expirySid = (key: Buffer): Sid => readSid(key, 7);

export function trashKey(sid: Sid): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = TRASH;
  writeSid(key, sid, 1);
  return key;
}

export const trashSid = (key: Buffer): Sid => readSid(key, 1);

export interface KeyRange {
  readonly start: Buffer;
  /** Exclusive: just after the last key. */
  readonly end: Buffer;
}

export const OPEN_STREAMS: KeyRange = { start: Buffer.of(OPEN), end: Buffer.of(OPEN + 1) };
export const TRASH_STREAMS: KeyRange = { start: Buffer.of(TRASH), end: Buffer.of(TRASH + 1) };

/** Range of all expiries up to and including `time`. */
export const expiriesUntil = (time: number): KeyRange => ({
  start: Buffer.of(EXPIRY),
  end: expiryKey(time + 1, 0),
});

export const rowKey = (id: string): Buffer => Buffer.from(String.fromCharCode(ROW) + id);

/** Range of all rows whose id begins with a text. */
export const rowsOf = (start: string): KeyRange => ({
  start: rowKey(start),
  // Ids are ASCII.
  end: Buffer.concat([rowKey(start), Buffer.of(0xff)]),
});

export function rowExpiryKey(time: number, id: string): Buffer {
  const key = Buffer.allocUnsafe(7);
  key[0] = ROW_EXPIRY;
  key.writeUIntBE(time, 1, 6);
  return Buffer.concat([key, Buffer.from(id)]);
}

/** Range of the expiries of rows up to and including `time`. */
export const rowExpiriesUntil = (time: number): KeyRange => ({
  start: Buffer.of(ROW_EXPIRY),
  end: rowExpiryKey(time + 1, ''),
});

const LAST_OFFSET = 2 ** 48 - 1;

/** Range of a stream's chunks. `end` is larger than any offset. */
export const chunksOf = (sid: Sid): KeyRange => ({
  start: chunkKey(sid, 0),
  end: chunkKey(sid, LAST_OFFSET),
});
