import type { IncomingHttpHeaders } from 'node:http';
import { CURSOR, LIVE, OFFSET, OFFSET_NOW } from '../../../protocol/query.ts';
import { StoreError } from '../types.ts';

/** Headers of exactly-once appends, which only a backend speaks (base protocol, idempotent producers). */
export const PRODUCER_ID = 'Producer-Id';
export const PRODUCER_EPOCH = 'Producer-Epoch';
export const PRODUCER_SEQ = 'Producer-Seq';
export const PRODUCER_EXPECTED_SEQ = 'Producer-Expected-Seq';

/** Only an octet-stream gives back exactly the bytes that it took, by SSE too. What they are stands in the metadata. */
export const DATA_CONTENT_TYPE = 'application/octet-stream';

const ID = /^[A-Za-z0-9_-]{1,128}$/;

/** True for what may become a part of a path at the backend. */
export function isStreamId(id: string): boolean {
  return ID.test(id);
}

/**
 * The side stream that holds a stream's metadata and end. No id has a dot, so it is nobody's data stream.
 */
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

/** A stream is not there, or not any more. */
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

/** What the backend answers and the protocol does not have there: most often a wrong URL, credential or proxy. */
export function unexpected(method: string, status: number): StoreError {
  const hint =
    status === 401 || status === 403
      ? '; look at durableStreamsHeaders'
      : status === 413
        ? ': the body is too large'
        : '';
  return new StoreError('UNAVAILABLE', `The Durable Streams backend answered ${status} to ${method}${hint}`);
}

/** What a reader may be told of any failure. */
export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('UNAVAILABLE', 'Reading from the Durable Streams backend failed', { cause: error });
}

/** Places inside of one answer of the backend: `{its offset}!{bytes behind it}`. */
const INNER = /^(.+)!(\d{1,12})$/;
/** What the base protocol allows in an offset, which is what may come from a stranger. */
const OFFSET_TEXT = /^[!-~]{1,255}$/;
const NOT_IN_OFFSETS = /[,&=?/]/;

/** A place as the backend knows it, and how many bytes behind it. */
export interface Place {
  readonly base: string;
  readonly skip: number;
}

/**
 * The backend's offsets go to readers as they are. It alone knows its boundaries, though, and may give more
 * than a reader wants at once; a place in the middle of an answer is named by where the answer began and the
 * bytes since ("!" sorts before whatever a longer offset goes on with).
 * @throws StoreError `INVALID_OFFSET` for what cannot be an offset; the backend judges the rest.
 */
export function parseOffset(offset: string): Place {
  if (!OFFSET_TEXT.test(offset) || NOT_IN_OFFSETS.test(offset) || offset === OFFSET_NOW) {
    throw new StoreError('INVALID_OFFSET', 'Not an offset of this stream');
  }
  const inner = INNER.exec(offset);
  return inner ? { base: inner[1]!, skip: Number(inner[2]) } : { base: offset, skip: 0 };
}

/** Twelve digits, so that places sort as text: streams up to a terabyte. */
export function formatOffset({ base, skip }: Place): string {
  return skip === 0 ? base : `${base}!${String(skip).padStart(12, '0')}`;
}
