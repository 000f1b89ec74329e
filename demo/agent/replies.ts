import { answerFor, type Answer } from './answers.ts';

/** What the model says next: a text, or the call of a tool. */
export type Reply = Pick<Answer, 'reasoning' | 'text'> & {
  readonly tool?: { readonly name: string; readonly input: object };
};

/** Part of a message in OpenAI's Chat Completions API. */
interface ContentPart {
  readonly type?: unknown;
  readonly text?: unknown;
  readonly image_url?: { readonly url?: unknown };
}

interface ModelMessage {
  readonly role?: unknown;
  readonly content?: unknown;
}

const BOOKING = /\bbook\b.*\btable\b|\breserv/i;

/** Returns the scripted reply to a conversation. */
export function replyTo(messages: readonly unknown[], prompt: string, number: number): Reply {
  const last = messages.at(-1) as ModelMessage | undefined;
  if (last?.role === 'tool') return afterTool(JSON.stringify(last.content));
  const image = imageIn(messages);
  if (image !== undefined) return aboutImage(image);
  if (!BOOKING.test(prompt)) return answerFor(prompt, number);
  const people = Number(/\d+/.exec(prompt)?.[0] ?? 2);
  return {
    reasoning:
      'They want a table. I have a tool for that, but it acts in their name, so it needs their approval.',
    text: 'I can book that. Please confirm the details first.',
    tool: { name: 'bookTable', input: { place: 'Skarholm Lighthouse', people, time: 'tonight, 19:30' } },
  };
}

/** Returns the text of the last user message, whose content is a string or a list of parts. */
export function lastUserText(messages: readonly unknown[]): string {
  return partsOf(messages)
    .map(({ text }) => (typeof text === 'string' ? text : ''))
    .join('');
}

function afterTool(result: string): Reply {
  const code = /[A-Z]{2}-\d{4}/.exec(result)?.[0];
  return {
    reasoning: '',
    text:
      code === undefined
        ? 'Understood, I did **not** book anything. Tell me if you would like another time or place.'
        : `Done. Your table is booked, the confirmation is **${code}**. The tool ran once, although you may have reloaded the page meanwhile.`,
  };
}

function aboutImage(url: string): Reply {
  const [, type = 'image', data = ''] = /^data:([\w/+.-]+);base64,(.*)$/s.exec(url) ?? [];
  const bytes = Math.floor((data.length * 3) / 4).toLocaleString('en');
  return {
    reasoning: 'An image. I cannot see it, because I am a script, but I can say what arrived.',
    text: `Your image arrived: **${type}**, ${bytes} bytes.

I am a scripted model, so I cannot tell what is on it. A real one can: start the demo with \`OPENAI_API_KEY\`. What this shows is that a request with an attachment is as durable as one without: the proxy has forwarded it once, and a reload does not send it again.`,
  };
}

function imageIn(messages: readonly unknown[]): string | undefined {
  const url = partsOf(messages).find(({ type }) => type === 'image_url')?.image_url?.url;
  return typeof url === 'string' ? url : undefined;
}

/** Returns the parts of the last user message. */
function partsOf(messages: readonly unknown[]): readonly ContentPart[] {
  const last = messages.findLast((message) => (message as ModelMessage | null)?.role === 'user');
  const content = (last as ModelMessage | undefined)?.content;
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return Array.isArray(content) ? (content as ContentPart[]) : [];
}
