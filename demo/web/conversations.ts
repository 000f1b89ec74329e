import type { UIMessage } from 'ai';
import { createLocalStore } from './local-store.ts';

export interface Conversation {
  readonly id: string;
  readonly title: string;
  /** Milliseconds since 1970. */
  readonly updatedAt: number;
}

const UNTITLED = 'New conversation';
const MAX_CONVERSATIONS = 50;

/** The list of conversations, newest first. An app would keep it, and the messages, in its database. */
export const conversations = createLocalStore<readonly Conversation[]>('demo:conversations', []);

export function messagesOf(id: string) {
  return createLocalStore<UIMessage[]>(`demo:messages:${id}`, []);
}

export function newConversationId(): string {
  return crypto.randomUUID();
}

/** Puts a conversation on top of the list, with its first question for a title. */
export function touchConversation(id: string, messages: readonly UIMessage[]): void {
  if (messages.length === 0) return;
  const question = messages.find(({ role }) => role === 'user');
  const title = question ? plainText(question).slice(0, 80) : UNTITLED;
  const others = conversations.get().filter((each) => each.id !== id);
  const dropped = others.slice(MAX_CONVERSATIONS - 1);
  for (const each of dropped) messagesOf(each.id).remove();
  conversations.set([{ id, title, updatedAt: Date.now() }, ...others.slice(0, MAX_CONVERSATIONS - 1)]);
}

export function deleteConversation(id: string): void {
  messagesOf(id).remove();
  conversations.set(conversations.get().filter((each) => each.id !== id));
}

export function plainText(message: UIMessage): string {
  return message.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}
