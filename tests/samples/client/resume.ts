// #region
import { createDurableFetch } from 'durable-proxy/client';

const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy' });
// #endregion

export async function open(
  chatId: string,
  show: (body: ReadableStream<Uint8Array>) => Promise<void>,
): Promise<void> {
  // #region
  // `chatId` identifies the chat. `show` is your function that reads a body.
  const response = await durableFetch.resume(`chat-${chatId}`);
  if (response) await show(response.body!);
  // #endregion
}
