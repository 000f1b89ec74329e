import { timingSafeEqual } from 'node:crypto';
import { openai } from '@ai-sdk/openai';
import { convertToModelMessages, streamText, type UIMessage } from 'ai';

/** The proxy calls this route, and adds CHAT_KEY. Browsers cannot call it. */
export async function POST(request: Request): Promise<Response> {
  if (!isProxy(request)) return new Response(null, { status: 401 });
  const { messages } = (await request.json()) as { messages: UIMessage[] };
  const result = streamText({
    model: openai('gpt-4.1-mini'),
    messages: await convertToModelMessages(messages),
    // Aborts when the proxy closes the request, which it does on Stop.
    abortSignal: request.signal,
  });
  return result.toUIMessageStreamResponse({
    onError: () => 'The model could not answer. Try again later.',
    messageMetadata({ part }) {
      // The SDK finishes an answer that ended too early with one of these reasons.
      if (part.type === 'finish' && /^(unknown|other|interrupted)$/.test(part.finishReason))
        throw new Error(`The model’s answer is incomplete: ${part.finishReason}`);
    },
  });
}

function isProxy(request: Request): boolean {
  const { CHAT_KEY } = process.env;
  if (!CHAT_KEY) throw new Error('Set the environment variable CHAT_KEY');
  const expected = Buffer.from(`Bearer ${CHAT_KEY}`);
  const received = Buffer.from(request.headers.get('authorization') ?? '');
  return received.length === expected.length && timingSafeEqual(received, expected);
}
