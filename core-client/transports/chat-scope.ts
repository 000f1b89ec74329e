import type { DurableResponse } from '../types.ts';
import type { ChatCall } from './chat-call.ts';
import type { TurnStore } from './turn-store.ts';
import type { Turn } from './turns.ts';

/** The chats of one caller. Another caller of the same page has others. */
export class ChatScope {
  /** See `DurableFetchOptions.scope`. */
  readonly name: string;
  readonly turns: TurnStore;
  /** The calls under way, by chat. */
  readonly calls = new Map<string, ChatCall>();
  /** By chat, the newest call whose answer is complete, while a tool of the page still runs. */
  readonly waiting = new Map<string, ChatCall>();
  /** By chat, the stream of an answer that the model's error ended. It is read, and not resumed. */
  readonly failed = new Map<string, string | undefined>();

  constructor(name: string, turns: TurnStore) {
    this.name = name;
    this.turns = turns;
  }

  /** Returns true if the page shows this answer, and a tool of it still runs. */
  isShown(chatId: string, { streamId, openTools }: Turn): boolean {
    return openTools !== undefined && this.waiting.get(chatId)?.turn.streamId === streamId;
  }

  /** Returns true if the model's error ended this answer. */
  hasFailed(chatId: string, { streamId }: DurableResponse): boolean {
    return this.failed.has(chatId) && this.failed.get(chatId) === streamId;
  }
}
