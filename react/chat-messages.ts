import type { ChatMessage, Turn } from '../core-client/transports/turns.ts';

/**
 * Returns the messages of a chat before an answer is replayed into it: those that were sent, without the part of the
 * answer that the chat has already. AI SDK 5 appends a replay to that part; 6 and 7 do in some cases.
 */
export function messagesBefore<MESSAGE extends ChatMessage>(
  turn: Turn,
  current: readonly MESSAGE[],
): MESSAGE[] {
  const sent = turn.messages as readonly MESSAGE[] | undefined;
  const last = sent?.at(-1);
  if (!sent || !last) return withoutPartial(current);
  const index = current.findIndex(({ id }) => id === last.id);
  // The replay of an answer that continues a message contains this answer's part of it only.
  if (index >= 0) return [...current.slice(0, index), turn.continues ? last : (current[index] ?? last)];
  // If the storage was nearly full, it has the last message only.
  return sent.length < current.length ? [...withoutPartial(current), last] : [...sent];
}

/**
 * Returns true if the chat has continued since an answer ended with calls of client-side tools: another device sent
 * their results, or another message.
 */
export function hasMovedOn(turn: Turn, current: readonly ChatMessage[]): boolean {
  const last = turn.messages?.at(-1);
  const index = current.findIndex(({ id }) => id === last?.id);
  if (last && index < 0) return false;
  const since = last ? current.slice(turn.continues ? index : index + 1) : current.slice(-1);
  return since.length > 1 || since.some((message) => !message.parts.some(awaitsOutput));
}

function awaitsOutput(part: { readonly type: string }): boolean {
  return Reflect.get(part, 'state') === 'input-available';
}

function withoutPartial<MESSAGE extends ChatMessage>(messages: readonly MESSAGE[]): MESSAGE[] {
  const last = messages.at(-1);
  const partial = last?.role === 'assistant' && last.parts.some(isStreaming);
  return partial ? messages.slice(0, -1) : [...messages];
}

function isStreaming(part: { readonly type: string }): boolean {
  const state: unknown = Reflect.get(part, 'state');
  return state === 'streaming' || state === 'input-streaming';
}

/** Returns true while a chat sends a message or shows an answer in progress. */
export function isBusy({ status }: { readonly status: string }): boolean {
  return status === 'submitted' || status === 'streaming';
}
