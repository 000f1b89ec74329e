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
  // The loop throws a DurableStreamError if the answer ends too early.
  for await (const { choices } of stream) show(choices[0]?.delta.content ?? '');
}
