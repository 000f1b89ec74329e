import type { ChatStatus, UIMessage } from 'ai';
import { useEffect, useState } from 'react';
import { messagesOf, touchConversation } from './conversations.ts';

/** What the browser kept of a conversation when the page came up. */
export function useKeptMessages(id: string): UIMessage[] {
  const [messages] = useState(() => messagesOf(id).get());
  return messages;
}

interface KeptChat {
  readonly id: string;
  readonly messages: UIMessage[];
  readonly status: ChatStatus;
}

/**
 * Keeps a conversation in the browser: the questions at once, an answer when it is whole. One that is still
 * coming is not kept, since the proxy has it, and `useDurableChat` reads it again from the beginning.
 */
export function useKeeping({ id, messages, status }: KeptChat): void {
  useEffect(() => {
    const keep = status === 'ready' ? messages : upToLastQuestion(messages);
    const store = messagesOf(id);
    if (keep.length >= store.get().length && store.set(keep)) touchConversation(id, keep);
  }, [id, messages, status]);
}

function upToLastQuestion(messages: UIMessage[]): UIMessage[] {
  return messages.slice(0, messages.findLastIndex(({ role }) => role === 'user') + 1);
}
