import type { DemoMessage } from '../agent/messages.ts';
import { createLocalStore } from './local-store.ts';

export interface Conversation {
  readonly id: string;
  readonly title: string;
  /** True if the user has chosen the title. */
  readonly isNamed?: boolean;
  /** Milliseconds since 1970. */
  readonly updatedAt: number;
}

const UNTITLED = 'New conversation';
const MAX_CONVERSATIONS = 50;

/** The list of conversations, newest first. An app would keep it, and the messages, in its database. */
export const conversations = createLocalStore<readonly Conversation[]>('demo:conversations', []);

export function messagesOf(id: string) {
  return createLocalStore<DemoMessage[]>(`demo:messages:${id}`, []);
}

/** Returns a random id. `crypto.randomUUID` is missing without TLS, as on a phone in the same network. */
export function newConversationId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}

/** Puts a conversation on top of the list. Its title is what the user has chosen, or the first question. */
export function touchConversation(id: string, messages: readonly DemoMessage[]): void {
  if (messages.length === 0) return;
  const question = messages.find(({ role }) => role === 'user');
  const known = conversations.get().find((each) => each.id === id);
  const asked = question ? plainText(question).slice(0, 80) || 'An image' : UNTITLED;
  const { title, isNamed = false } = known?.isNamed ? known : { title: asked };
  const others = conversations.get().filter((each) => each.id !== id);
  const dropped = others.slice(MAX_CONVERSATIONS - 1);
  for (const each of dropped) messagesOf(each.id).remove();
  conversations.set([
    { id, title, isNamed, updatedAt: Date.now() },
    ...others.slice(0, MAX_CONVERSATIONS - 1),
  ]);
}

export function renameConversation(id: string, title: string): void {
  const renamed = (each: Conversation) => (each.id === id ? { ...each, title, isNamed: true } : each);
  conversations.set(conversations.get().map(renamed));
}

export function deleteConversation(id: string): void {
  messagesOf(id).remove();
  conversations.set(conversations.get().filter((each) => each.id !== id));
}

export function plainText(message: DemoMessage): string {
  return message.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}
