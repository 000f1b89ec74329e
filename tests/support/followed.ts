import { createParser } from 'eventsource-parser';
import type { StreamEvent } from '../../protocol/follow.ts';
import { LAST_EVENT_ID } from '../../protocol/headers.ts';
import { SECRET } from './proxy.ts';
import { withQuery } from './wire.ts';

/** A connection that follows a name. */
export interface Followed {
  readonly response: Response;
  /** Returns the next event, or undefined once the server has ended the response. */
  next(): Promise<StreamEvent | undefined>;
  /** `id` of the last event that `next` returned. */
  readonly lastId: string | undefined;
  /** Comments so far. */
  readonly comments: number;
  close(): Promise<void>;
}

export interface FollowInit {
  readonly token?: string;
  readonly lastId?: string | undefined;
}

/** Follows a name with plain fetch. */
export async function followName(base: string, name: string, init: FollowInit = {}): Promise<Followed> {
  const { token = SECRET, lastId } = init;
  const response = await fetch(withQuery(base, { key: name, live: 'sse' }), {
    headers: { authorization: `Bearer ${token}`, ...(lastId !== undefined && { [LAST_EVENT_ID]: lastId }) },
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const events: { readonly event: StreamEvent; readonly id: string | undefined }[] = [];
  let comments = 0;
  let last: string | undefined;
  const parser = createParser({
    onEvent: ({ event, data, id }) => {
      if (event === 'stream') events.push({ event: JSON.parse(data) as StreamEvent, id });
    },
    onComment: () => (comments += 1),
  });
  return {
    response,
    async next() {
      while (events.length === 0) {
        const { done, value } = await reader.read();
        if (done) return undefined;
        parser.feed(value);
      }
      const { event, id } = events.shift()!;
      last = id;
      return event;
    },
    get lastId() {
      return last;
    },
    get comments() {
      return comments;
    },
    close: () => reader.cancel(),
  };
}
