import { PENDING } from '../../protocol/control.ts';
import {
  UPSTREAM_CONTENT_TYPE,
  UPSTREAM_HEADERS,
  UPSTREAM_STATE,
  UPSTREAM_STATUS,
} from '../../protocol/headers.ts';
import { isPending } from '../store/metadata.ts';
import type { StreamInfo } from '../store/types.ts';
import { contentTypeOf, headOf } from '../store/upstream-head.ts';

/** Returns the headers that describe the upstream's response (RESP-1). */
export function upstreamHeaders(info: Pick<StreamInfo, 'contentType' | 'metadata'>): Record<string, string> {
  const head = headOf(info);
  const contentType = contentTypeOf(info);
  return {
    ...(contentType !== '' && { [UPSTREAM_CONTENT_TYPE]: contentType }),
    ...(head && { [UPSTREAM_STATUS]: String(head.status), [UPSTREAM_HEADERS]: head.headers }),
    ...(isPending(info.metadata) && { [UPSTREAM_STATE]: PENDING }),
  };
}
