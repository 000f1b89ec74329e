// #region
import { createDurableFetch } from 'durable-proxy/client';
// #endregion

export interface App {
  readonly getToken: () => Promise<string>;
  readonly chatId: string;
  readonly model: string;
  readonly messages: readonly unknown[];
  readonly show: (text: string) => void;
}

export async function ask({ getToken, chatId, model, messages, show }: App): Promise<void> {
  // #region
  // `getToken`, `model`, `messages`, `chatId` and `show` are your own.
  const durableFetch = createDurableFetch({
    proxyUrl: '/v1/proxy',
    proxyAuthorization: () => getToken(), // Not needed if a session cookie identifies the user.
  });

  const response = await durableFetch('https://api.openai.com/v1/chat/completions', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages, stream: true }),
    requestId: `chat-${chatId}`, // Resumes after a reload. Without it: only after a lost connection.
  });
  if (!response.ok) throw new Error(`The request failed with status ${response.status}`);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) show(next.value);
  // #endregion
}
