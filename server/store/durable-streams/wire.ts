import type { IncomingHttpHeaders } from 'node:http';
import { CURSOR, LIVE, OFFSET, OFFSET_NOW } from '../../../protocol/query.ts';
import { StoreError } from '../types.ts';

/**
 * Headers of exactly-once appends, which are used only between the store and its backend (base protocol, idempotent
 * producers).
 */
export const PRODUCER_ID = 'Producer-Id';
export const PRODUCER_EPOCH = 'Producer-Epoch';
export const PRODUCER_SEQ = 'Producer-Seq';
export const PRODUCER_EXPECTED_SEQ = 'Producer-Expected-Seq';

/**
 * Only an octet-stream returns exactly the bytes that were appended, with SSE too. The metadata contain the actual
 * media type.
 */
export const DATA_CONTENT_TYPE = 'application/octet-stream';

const ID = /^[A-Za-z0-9_-]{1,128}$/;

/** Returns true for ids that may be part of a path at the backend. */
export function isStreamId(id: string): boolean {
  return ID.test(id);
}

/** Returns the side stream with a stream's metadata and end. Ids contain no dot, so it cannot be a data stream. */
export function metaName(id: string): string {
  return `${id}.meta`;
}

export function readPath(name: string, offset: string, live?: string, cursor?: string): string {
  const query = new URLSearchParams({ [OFFSET]: offset });
  if (live !== undefined) query.set(LIVE, live);
  if (cursor !== undefined) query.set(CURSOR, cursor);
  return `${name}?${query.toString()}`;
}

export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name.toLowerCase()];
  return Array.isArray(value) ? value[0] : value;
}

export function isTrue(headers: IncomingHttpHeaders, name: string): boolean {
  return headerOf(headers, name) === 'true';
}

/** Returns true if a stream does not exist, or does not exist any more. */
export function isGone(status: number): boolean {
  return status === 404 || status === 410;
}

export function notFound(id: string): StoreError {
  return new StoreError('NOT_FOUND', `There is no stream ${isStreamId(id) ? id : 'of that id'}`);
}

export function closedError(id: string): StoreError {
  return new StoreError('CLOSED', `Stream ${id} is closed`);
}

export function fencedError(id: string): StoreError {
  return new StoreError('FENCED', `Another process has adopted stream ${id}`);
}

/**
 * Returns the error for a response that the protocol does not allow there: usually caused by a wrong URL, a wrong
 * credential or a proxy.
 */
export function unexpected(method: string, status: number): StoreError {
  const hint =
    status === 401 || status === 403
      ? '; look at durableStreamsHeaders'
      : status === 413
        ? ': the body is too large'
        : '';
  return new StoreError('UNAVAILABLE', `The Durable Streams backend answered ${status} to ${method}${hint}`);
}

/** Converts any failure to an error that a reader may see. */
export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('UNAVAILABLE', 'Reading from the Durable Streams backend failed', { cause: error });
}

/** Positions inside one response of the backend: `{offset of the response}!{bytes after it}`. */
const INNER = /^(.+)!(\d{1,12})$/;
/** Text that the base protocol allows as an offset. Clients may send any of it. */
const OFFSET_TEXT = /^[!-~]{1,255}$/;
const NOT_IN_OFFSETS = /[,&=?/]/;

/** An offset of the backend, and a number of bytes after it. */
export interface Place {
  readonly base: string;
  readonly skip: number;
}

/**
 * Parses an offset. Readers receive the backend's offsets unchanged. Only the backend knows its boundaries, though, and
 * it may return more bytes than a reader requests. An offset within a response is therefore the response's offset and
 * the number of bytes after it ("!" sorts before every character that may continue a longer offset).
 * @throws StoreError `INVALID_OFFSET` for text that cannot be an offset. The backend checks the rest.
 */
export function parseOffset(offset: string): Place {
  if (!OFFSET_TEXT.test(offset) || NOT_IN_OFFSETS.test(offset) || offset === OFFSET_NOW) {
    throw new StoreError('INVALID_OFFSET', 'Not an offset of this stream');
  }
  const inner = INNER.exec(offset);
  return inner ? { base: inner[1]!, skip: Number(inner[2]) } : { base: offset, skip: 0 };
}

/** Twelve digits, so that offsets sort as text in streams of up to a terabyte. */
export function formatOffset({ base, skip }: Place): string {
  return skip === 0 ? base : `${base}!${String(skip).padStart(12, '0')}`;
}
