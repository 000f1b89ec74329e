import type { ChatStatus, UIMessage } from 'ai';
import { useEffect, useState } from 'react';
import { messagesOf, touchConversation } from './conversations.ts';

/** Returns the stored messages of a conversation at the first render. */
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
 * Stores a conversation in the browser: questions at once, an answer when it is complete. An incomplete answer is not
 * stored, because the proxy has it, and `useDurableChat` reads it again from its beginning.
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
