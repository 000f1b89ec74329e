import { createDurableFetch } from 'durable-proxy/client';

const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy' });

export async function open(
  chatId: string,
  show: (body: ReadableStream<Uint8Array>) => Promise<void>,
): Promise<void> {
  // #region
  const response = await durableFetch.resume(`chat-${chatId}`);
  if (response) await show(response.body!);
  // #endregion
}
