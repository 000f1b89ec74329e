import type { ServerResponse } from 'node:http';
import { ERROR_STATUS, type ErrorCode } from '../../protocol/errors.ts';
import type { Context } from '../context.ts';
import { isClosed } from '../http/response.ts';
import { ProxyError } from '../shared/errors.ts';
import { readPiece } from '../read/read-piece.ts';
import { followHead, followUntil } from '../store/log.ts';
import { isPending } from '../store/metadata.ts';
import { StoreError, type StreamInfo } from '../store/types.ts';
import { headOf } from '../store/upstream-head.ts';
import { OFFSET_START } from '../../protocol/query.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { upstreamErrorHeaders } from '../upstream/headers.ts';
import { stillWaiting } from './exactly-once.ts';

/** Dependencies for waiting for a pending stream. */
export type AwaitContext = Pick<Context, 'store' | 'guardian' | 'readership' | 'options'>;

/**
 * Waits until the upstream of a pending stream has responded. For a create without `respond-async` whose key belongs to
 * a create with it.
 * @returns the stream, even if it was closed without a response, unless it was refused.
 * @throws ProxyError `UPSTREAM_TIMEOUT` after `upstreamHeadersTimeoutMs`, or the error with which the stream was
 * refused; UpstreamFailure; StoreError.
 */
export async function awaitHead(
  { store, guardian, readership, options }: AwaitContext,
  streamId: string,
  res: ServerResponse,
): Promise<StreamInfo> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(stillWaiting()), options.upstreamHeadersTimeoutMs);
  const onClose = () => limit.abort(new ProxyError('INVALID_REQUEST', 'The caller disconnected'));
  res.once('close', onClose);
  if (isClosed(res)) onClose();
  let release: (() => void) | undefined;
  try {
    const { signal } = limit;
    await followHead(store, streamId, signal, (info) => {
      release = guardian.watch(streamId, info);
      readership.enter(streamId, info, res);
    });
    let info = await store.head(streamId);
    // The body of an error arrives after its head.
    if (info && !info.end && isError(info)) {
      await followUntil(store, streamId, () => false, { signal });
      info = await store.head(streamId);
    }
    if (!info) throw new StoreError('NOT_FOUND', `There is no stream ${streamId}`);
    if (info.end?.outcome !== 'refused') return info;
    throw await refusalOf(info, (maxBytes) => readPiece(store, streamId, OFFSET_START, maxBytes), options);
  } finally {
    release?.();
    clearTimeout(timer);
    res.off('close', onClose);
  }
}

/**
 * Returns true if the stream is pending, was refused, or has a response other than 2xx, so that a plain create cannot
 * return it at once.
 */
export function mustAwaitHead(info: Pick<StreamInfo, 'contentType' | 'metadata' | 'end'>): boolean {
  if (info.end) return info.end.outcome === 'refused';
  return isPending(info.metadata) || isError(info);
}

function isError(info: Pick<StreamInfo, 'contentType' | 'metadata'>): boolean {
  const status = headOf(info)?.status ?? 200;
  return status < 200 || status >= 300;
}

async function refusalOf(
  info: StreamInfo,
  read: (maxBytes: number) => Promise<{ readonly bytes: Uint8Array }>,
  { maxErrorBytes }: Context['options'],
): Promise<Error> {
  const head = headOf(info);
  if (!head) {
    const { code = '', message = '' } = info.end?.error ?? {};
    return new ProxyError(
      Object.hasOwn(ERROR_STATUS, code) ? (code as ErrorCode) : 'UPSTREAM_ERROR',
      message,
    );
  }
  const headers = Object.fromEntries(JSON.parse(head.headers) as [string, string][]);
  const { bytes } = await read(Math.max(1, maxErrorBytes));
  return new UpstreamFailure(
    head.status,
    upstreamErrorHeaders({
      ...headers,
      ...(head.contentType !== '' && { 'content-type': head.contentType }),
    }),
    Buffer.from(bytes),
  );
}
