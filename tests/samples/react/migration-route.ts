import { openai } from '@ai-sdk/openai';
import { convertToModelMessages, streamText, type UIMessage } from 'ai';

export async function POST(request: Request): Promise<Response> {
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
      // The SDK finishes an answer that ended too early with one of these reasons (AI SDK 5, 6 and 7).
      if (part.type === 'finish' && /^(unknown|other|interrupted)$/.test(part.finishReason))
        throw new Error(`The model’s answer is incomplete: ${part.finishReason}`);
    },
  });
}
