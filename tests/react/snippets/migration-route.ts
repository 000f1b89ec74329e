import { openai } from '@ai-sdk/openai';
import { convertToModelMessages, streamText, type UIMessage } from 'ai';

export async function POST(request: Request): Promise<Response> {
  const { messages } = (await request.json()) as { messages: UIMessage[] };
  const result = streamText({
    model: openai('gpt-4.1-mini'),
    messages: await convertToModelMessages(messages),
  });
  return result.toUIMessageStreamResponse();
}
