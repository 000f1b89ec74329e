import { IDEMPOTENCY_KEY, STREAM_KEY } from '../../protocol/headers.ts';
import type { Context } from '../context.ts';
import { keyHeader } from '../create/request.ts';
import { ProxyError } from '../shared/errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { respond } from '../http/response.ts';
import { metadataOf } from '../store/metadata.ts';
import { abortHere, requireAbort, stopUpstream, type AbortContext } from './abort-stream.ts';

/**
 * Handles PATCH {base}?action=abort: aborts what the caller created under an `Idempotency-Key` or a `Stream-Key`, also
 * before the upstream has responded. Responds 204, even if there is nothing to abort.
 * @throws ProxyError `INVALID_ACTION`, or `INVALID_REQUEST` if both headers are missing.
 */
export async function abortByKey(
  { req, res, query, caller }: Exchange,
  context: AbortContext & Pick<Context, 'claims' | 'streamKeys'>,
): Promise<void> {
  requireAbort(query);
  const key = keyHeader(req, IDEMPOTENCY_KEY);
  const name = keyHeader(req, STREAM_KEY);
  if (key === undefined && name === undefined) {
    throw new ProxyError(
      'INVALID_REQUEST',
      `Send ${IDEMPOTENCY_KEY} or ${STREAM_KEY} to identify the request to abort`,
    );
  }
  const subject = caller?.subject;
  const [claim, named] = await Promise.all([
    key === undefined ? undefined : context.claims.abort(subject, key),
    name === undefined ? undefined : context.streamKeys.latest(subject, name),
  ]);
  // Both keys may belong to the same create.
  const owners = new Map<string, string>();
  if (claim) owners.set(claim.token, claim.process);
  if (named) owners.set(named.streamId, named.process);
  await Promise.all([...owners].map(([streamId, owner]) => abortCreate(streamId, owner, context)));
  respond(res, 204, {});
}

async function abortCreate(streamId: string, owner: string, context: AbortContext): Promise<void> {
  const { store, processes, peers, emit } = context;
  const info = await store.head(streamId);
  if (info?.end) return;
  if (info) {
    await stopUpstream(streamId, info, context);
    emit({ type: 'aborted', streamId, subject: metadataOf(info).subject, by: 'patch' });
  } else if (owner === processes.id) abortHere(streamId, context);
  else await peers.askToAbort(owner, streamId);
}
