import type { Context } from '../../context.ts';
import { isSensitive } from '../../shared/redact.ts';
import { metadataOf } from '../../store/metadata.ts';
import type { StreamInfo } from '../../store/types.ts';
import { contentTypeOf, headOf } from '../../store/upstream-head.ts';
import type { Hub } from '../hub.ts';
import type { AnswerDetails } from '../wire/types.ts';

type Details = Omit<AnswerDetails, 'timelines' | 'id' | 'exists'>;

/** Returns the details of one answer, which the page shows beside its row and its text. */
export async function answerDetails(
  streamId: string,
  { store, guardian }: Context,
  hub: Pick<Hub, 'timelinesOf'>,
): Promise<AnswerDetails> {
  const found = await store.head(streamId);
  // Continues or closes the stream of a process that died, as any read does.
  const info = found && (await guardian.reconcile(streamId, found));
  return {
    id: streamId,
    exists: info !== undefined,
    ...(info && detailsOf(info)),
    timelines: hub.timelinesOf(streamId),
  };
}

function detailsOf(info: StreamInfo): Details {
  const head = headOf(info);
  return {
    contentType: contentTypeOf(info),
    ttlSeconds: info.ttlSeconds,
    owner: metadataOf(info).owner,
    ...(head && { head: { status: head.status, headers: withoutSecrets(head.headers) } }),
  };
}

/** Removes credentials and the queries of URLs, which may contain signatures. */
function withoutSecrets(json: string): [string, string][] {
  const headers = JSON.parse(json) as [string, string][];
  return headers.map(([name, value]) => [
    name,
    isSensitive(name)
      ? '[redacted]'
      : value.replace(/(\bhttps?:\/\/[^\s?#<>"]*|\/[^\s?#<>"]*)[?#][^\s<>"]*/gi, '$1'),
  ]);
}
