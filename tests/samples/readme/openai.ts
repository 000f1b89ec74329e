import { createDurableFetch } from 'durable-proxy/client';
import OpenAI from 'openai';

const openai = new OpenAI({
  apiKey: 'added by the proxy', // A page must not contain the key: see prepareUpstream and --upstream-header.
  fetch: createDurableFetch({ proxyUrl: '/v1/proxy' }),
  dangerouslyAllowBrowser: true,
});

export async function ask(question: string, show: (text: string) => void): Promise<void> {
  const messages = [{ role: 'user' as const, content: question }];
  const stream = await openai.chat.completions.create({ model: 'gpt-4.1-mini', messages, stream: true });
  let finishReason: string | null = null;
  for await (const { choices } of stream) {
    show(choices[0]?.delta.content ?? '');
    finishReason ??= choices[0]?.finish_reason ?? null;
  }
  // The SDK does not report an answer that ends too early.
  if (finishReason === null) throw new Error('The answer is incomplete. Try again.');
}
