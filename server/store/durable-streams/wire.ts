import type { IncomingHttpHeaders } from 'node:http';
import { CURSOR, LIVE, OFFSET } from '../../../protocol/query.ts';
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

/** Returns true if a stream does not exist, or no longer exists. */
export function isGone(status: number): boolean {
  return status === 404 || status === 410;
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
      ? '; check durableStreamsHeaders'
      : status === 413
        ? ': the body is too large'
        : '';
  return new StoreError('UNAVAILABLE', `The Durable Streams backend responded ${status} to ${method}${hint}`);
}
