import type { Caller } from '../auth/service.ts';
import type { Context } from '../context.ts';
import { ProxyError } from '../shared/errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { metadataOf } from '../store/metadata.ts';
import type { StreamInfo } from '../store/types.ts';

/** Returns true if the caller may see the stream: with a signed URL, with the plain secret, or as its subject. */
export function isVisible(info: StreamInfo, caller: Caller | undefined): boolean {
  return !caller || caller.operator || metadataOf(info).subject === caller.subject;
}

/**
 * Returns the stream of a request. Continues or closes it first if the process that ran it has died.
 * @throws ProxyError `STREAM_NOT_FOUND` if the stream does not exist or belongs to another subject. Both look the same.
 */
export async function visibleStream(
  exchange: Exchange,
  { store, guardian }: Pick<Context, 'store' | 'guardian'>,
): Promise<StreamInfo> {
  const info = await store.head(exchange.streamId);
  if (!info || !isVisible(info, exchange.caller)) throw streamNotFound();
  return guardian.reconcile(exchange.streamId, info);
}

export function streamNotFound(): ProxyError {
  return new ProxyError('STREAM_NOT_FOUND', 'The stream does not exist or has expired');
}
