import type { ChatStatus } from 'ai';
import { useEffect, useState } from 'react';
import type { DemoMessage } from '../agent/messages.ts';
import { messagesOf, touchConversation } from './conversations.ts';

/** Returns the stored messages of a conversation at the first render. */
export function useKeptMessages(id: string): DemoMessage[] {
  const [messages] = useState(() => messagesOf(id).get());
  return messages;
}

interface KeptChat {
  readonly id: string;
  readonly messages: DemoMessage[];
  readonly status: ChatStatus;
}

/**
 * Stores a conversation in the browser: questions at once, an answer when it is complete. An incomplete answer is not
 * stored, because the proxy has it, and `useDurableChat` reads it again from its beginning.
 * @param options `isListed`: whether the conversation appears in the list.
 */
export function useKeeping({ id, messages, status }: KeptChat, { isListed = true } = {}): void {
  useEffect(() => {
    const keep = status === 'ready' ? messages : upToLastQuestion(messages);
    const store = messagesOf(id);
    if (keep.length >= store.get().length && store.set(keep) && isListed) touchConversation(id, keep);
  }, [id, isListed, messages, status]);
}

/** Returns the messages without the answer to the last question. */
export function upToLastQuestion(messages: DemoMessage[]): DemoMessage[] {
  return messages.slice(0, messages.findLastIndex(({ role }) => role === 'user') + 1);
}
