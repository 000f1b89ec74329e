import { STREAM_CLOSED, STREAM_NEXT_OFFSET } from '../protocol/headers.ts';
import { OFFSET, OFFSET_START } from '../protocol/query.ts';
import { ACTION_HEADER, type AnswerDetails } from '../server/inspector/wire/types.ts';

/** Milliseconds before a read is repeated that failed. */
const RETRY_MS = 2_000;

export async function fetchDetails(id: string, signal: AbortSignal): Promise<AnswerDetails> {
  const response = await checked(await fetch(`api/answers/${id}`, { signal }));
  return (await response.json()) as AnswerDetails;
}

/** @returns the body of the response. */
export async function act(id: string, action: 'stop' | 'delete' | 'link'): Promise<{ url?: string }> {
  const headers = { [ACTION_HEADER]: '1' };
  const response = await checked(await fetch(`api/answers/${id}/${action}`, { method: 'POST', headers }));
  return (await response.json()) as { url?: string };
}

/**
 * Reads the bytes of an answer as they arrive, until it ends, it is deleted, or `signal` aborts.
 * @param onText is called with each piece of the text.
 */
export async function readText(
  id: string,
  signal: AbortSignal,
  onText: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let offset = OFFSET_START;
  while (!signal.aborted) {
    try {
      const response = await fetch(`api/answers/${id}/text?${OFFSET}=${encodeURIComponent(offset)}`, {
        signal,
      });
      if (response.status === 404) return;
      const bytes = await (await checked(response)).arrayBuffer();
      onText(decoder.decode(bytes, { stream: true }));
      offset = response.headers.get(STREAM_NEXT_OFFSET) ?? offset;
      if (response.headers.get(STREAM_CLOSED) === 'true') return;
    } catch {
      // The server restarts, or the connection is lost.
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** @throws Error with the message of the server. */
async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  const body = (await response.json().catch(() => ({}))) as { error?: { message?: string } };
  throw new Error(body.error?.message ?? `The server responded ${response.status}`);
}
