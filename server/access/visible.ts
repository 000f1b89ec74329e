import type { Caller } from '../auth/service.ts';
import type { Context } from '../context.ts';
import { ProxyError } from '../shared/errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { metadataOf } from '../store/metadata.ts';
import type { StreamInfo } from '../store/types.ts';

/** Whether a caller's own: a signed URL is a capability and asks for no subject, the plain secret may do all. */
export function isVisible(info: StreamInfo, caller: Caller | undefined): boolean {
  return !caller || caller.operator || metadataOf(info).subject === caller.subject;
}

/**
 * The stream of a request, closed first if the process that held it is gone.
 * @throws ProxyError `STREAM_NOT_FOUND` when there is none, or it is somebody else's: the two look the same.
 */
export async function visibleStream(exchange: Exchange, { store, guardian }: Context): Promise<StreamInfo> {
  const info = await store.head(exchange.streamId);
  if (!info || !isVisible(info, exchange.caller)) throw streamNotFound();
  return guardian.settle(exchange.streamId, info);
}

export function streamNotFound(): ProxyError {
  return new ProxyError('STREAM_NOT_FOUND', 'The stream does not exist or has expired');
}
