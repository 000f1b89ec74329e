// #region
import { createDurableFetch } from 'durable-proxy/client';

const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy' });
// #endregion

export async function follow(
  chatId: string,
  show: (body: ReadableStream<Uint8Array>) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  // #region
  // `chatId` identifies the chat, `show` is your function that reads a body, and `signal` ends the loop.
  for await (const stream of durableFetch.follow(`chat-${chatId}`, { signal })) {
    if (stream.state === 'closed') continue;
    const response = await stream.open();
    if (response) await show(response.body!);
  }
  // #endregion
}
