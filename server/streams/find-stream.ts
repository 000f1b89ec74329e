import { IDEMPOTENCY_KEY, STREAM_KEY, STREAM_NEXT_OFFSET } from '../../protocol/headers.ts';
import { KEY } from '../../protocol/query.ts';
import type { Context } from '../context.ts';
import { keyHeader, keyParam } from '../create/request.ts';
import { ProxyError } from '../shared/errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { isClosed, respond } from '../http/response.ts';
import { endHeaders } from '../read/headers.ts';
import { locationHeaders } from '../access/location.ts';
import { isVisible } from '../access/visible.ts';
import { metadataOf } from '../store/metadata.ts';

/**
 * Handles GET {base}?key=name: responds with the caller's newest stream under a `Stream-Key` and a fresh URL. Responds
 * 204 if there is none, or if the request has an `Idempotency-Key` and the stream was created with another one. Not 404,
 * because pages ask at each mount, and browsers log every 404 as an error.
 * @throws ProxyError `NOT_FOUND` without a name, `INVALID_REQUEST`, `UPSTREAM_TIMEOUT`.
 */
export async function findStream(
  exchange: Exchange,
  context: Pick<Context, 'store' | 'streamKeys' | 'claims' | 'guardian' | 'options' | 'keyring'>,
): Promise<void> {
  const { req, res, query, caller } = exchange;
  const name = keyParam(query);
  if (name === undefined)
    throw new ProxyError('NOT_FOUND', `To find a stream, send GET with ?${KEY}=<its ${STREAM_KEY}>`);
  const { store, streamKeys, claims, guardian, options } = context;
  const key = keyHeader(req, IDEMPOTENCY_KEY);
  const claim = key === undefined ? undefined : claims.idOf({ subject: caller?.subject, key });
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort(
      new ProxyError('UPSTREAM_TIMEOUT', 'The newest stream with this key has no response yet. Try again', {
        headers: { 'Retry-After': '1' },
      }),
    );
  }, options.upstreamHeadersTimeoutMs);
  const onClose = () =>
    limit.abort(new ProxyError('INVALID_REQUEST', 'The caller disconnected before the response'));
  res.once('close', onClose);
  if (isClosed(res)) onClose();
  try {
    const newest = await streamKeys.newest(caller?.subject, name, limit.signal);
    const streamId = newest?.streamId;
    const found = streamId === undefined ? undefined : await store.head(streamId);
    const isWanted = found && isVisible(found, caller) && (!claim || metadataOf(found).claim === claim);
    if (streamId === undefined || !isWanted) {
      respond(res, 204, { 'Cache-Control': 'no-store' });
      return;
    }
    const info = await guardian.reconcile(streamId, found);
    respond(res, 200, {
      ...locationHeaders(exchange, context, { ...info, streamId }),
      [STREAM_NEXT_OFFSET]: info.tail,
      ...endHeaders(info.end),
      'Content-Length': 0,
    });
  } finally {
    clearTimeout(timer);
    res.off('close', onClose);
  }
}
