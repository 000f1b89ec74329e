import { createParser } from 'eventsource-parser';
import { parseControlEvent, type ControlEvent } from '../../protocol/control.ts';
import { UPSTREAM_METHOD, UPSTREAM_URL } from '../../protocol/headers.ts';
import { SECRET, type TestProxy } from './proxy.ts';

/** The plain protocol by plain fetch: as any client would use it. */
export function post(
  proxy: Pick<TestProxy, 'base'>,
  upstreamUrl: string,
  init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string>; duplex?: 'half' } = {},
): Promise<Response> {
  return fetch(proxy.base, {
    method: 'POST',
    ...init,
    headers: {
      authorization: `Bearer ${SECRET}`,
      [UPSTREAM_URL]: upstreamUrl,
      [UPSTREAM_METHOD]: 'POST',
      ...init.headers,
    },
  });
}

/** The signed URL of a create's answer, absolute. */
export function locationOf(proxy: Pick<TestProxy, 'url'>, response: Response): string {
  const location = response.headers.get('location');
  if (location === null) throw new Error(`no Location in a ${response.status}`);
  return new URL(location, proxy.url).href;
}

/** A URL with more query parameters. */
export function withQuery(url: string, query: Record<string, string>): string {
  const result = new URL(url);
  for (const [name, value] of Object.entries(query)) result.searchParams.set(name, value);
  return result.href;
}

export interface SseRead {
  readonly bytes: Buffer;
  readonly controls: ControlEvent[];
}

/** Reads an SSE response to its end, or until `enough` returns true for the received events. */
export async function readSse(response: Response, enough?: (read: SseRead) => boolean): Promise<SseRead> {
  const chunks: Buffer[] = [];
  const controls: ControlEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event === 'data') chunks.push(Buffer.from(data.replaceAll('\n', ''), 'base64'));
      const control = event === 'control' ? parseControlEvent(data) : undefined;
      if (control) controls.push(control);
    },
  });
  const decoder = new TextDecoder();
  const reader = response.body!.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parser.feed(decoder.decode(value, { stream: true }));
    if (enough?.({ bytes: Buffer.concat(chunks), controls })) {
      await reader.cancel();
      break;
    }
  }
  return { bytes: Buffer.concat(chunks), controls };
}

/** The code of an error answer. */
export async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code;
}
