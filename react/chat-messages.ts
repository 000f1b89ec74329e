import type { ChatMessage, Turn } from '../core-client/transports/turns.ts';

/**
 * What stands in a chat before an answer is replayed into it: what was sent, without the part of the answer
 * that is there already. The SDK of 5 appends a replay to that part, and 6 and 7 do in some cases.
 */
export function messagesBefore<MESSAGE extends ChatMessage>(
  turn: Turn,
  current: readonly MESSAGE[],
): MESSAGE[] {
  const sent = turn.messages as readonly MESSAGE[] | undefined;
  const last = sent?.at(-1);
  if (!sent || !last) return withoutPartial(current);
  const index = current.findIndex(({ id }) => id === last.id);
  // An answer that goes on with a message brings its own part of it again, and no other.
  if (index >= 0) return [...current.slice(0, index), turn.continues ? last : (current[index] ?? last)];
  // A storage that was nearly full has only the last of the messages.
  return sent.length < current.length ? [...withoutPartial(current), last] : [...sent];
}

/**
 * Returns true if a chat has gone on since an answer ended with tools to be run in the page: another device
 * sent their results, or another question.
 */
export function hasMovedOn(turn: Turn, current: readonly ChatMessage[]): boolean {
  const last = turn.messages?.at(-1);
  const index = current.findIndex(({ id }) => id === last?.id);
  if (last && index < 0) return false;
  const since = last ? current.slice(turn.continues ? index : index + 1) : current.slice(-1);
  return since.length > 1 || since.some((message) => !message.parts.some(isWaiting));
}

function isWaiting(part: { readonly type: string }): boolean {
  return Reflect.get(part, 'state') === 'input-available';
}

function withoutPartial<MESSAGE extends ChatMessage>(messages: readonly MESSAGE[]): MESSAGE[] {
  const last = messages.at(-1);
  const partial = last?.role === 'assistant' && last.parts.some(isOpen);
  return partial ? messages.slice(0, -1) : [...messages];
}

function isOpen(part: { readonly type: string }): boolean {
  const state: unknown = Reflect.get(part, 'state');
  return state === 'streaming' || state === 'input-streaming';
}
