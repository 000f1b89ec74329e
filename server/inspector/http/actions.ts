import { SCOPE_READ } from '../../../protocol/query.ts';
import { signQuery } from '../../auth/signed-url.ts';
import type { Inspectable } from '../../inspectable.ts';
import { stopStream } from '../../streams/abort-stream.ts';
import { removeStream } from '../../streams/delete-stream.ts';
import type { Hub } from '../hub.ts';
import { Refusal } from './refusal.ts';

/** An action of the page on an answer. Resolves with the body of the response. */
export type Action = (streamId: string, inspectable: Inspectable, hub: Hub) => Promise<object>;

const stop: Action = async (streamId, { context }) => {
  await stopStream(streamId, context);
  return {};
};

const remove: Action = async (streamId, { context }, hub) => {
  const info = await context.store.head(streamId);
  if (info) await removeStream(streamId, info, context);
  await hub.forget(streamId);
  return {};
};

/** Creates a link that permits reading the answer only. */
const link: Action = async (streamId, { context, base }) => {
  const { keyring, options, store } = context;
  const path = base();
  if (path === undefined)
    throw new Refusal(409, 'The path of the proxy is unknown. Set its option basePath or publicUrl');
  if (!(await store.head(streamId))) throw new Refusal(404, 'The answer was deleted or has expired');
  const expiresAt = Math.floor(Date.now() / 1_000) + options.urlExpirationSeconds;
  return { url: `${path}/${streamId}?${signQuery(keyring, streamId, expiresAt, SCOPE_READ)}`, expiresAt };
};

export const ACTIONS: Readonly<Record<string, Action>> = { stop, delete: remove, link };
