import type { StorageLike } from '../types.ts';

/** What a chat transport needs to know of a message, in any major of `ai`. */
export interface ChatMessage {
  readonly id: string;
  readonly role: string;
  readonly parts: readonly { readonly type: string }[];
}

/** A result that the page gave for a client-side tool call, as `addToolOutput` takes it. */
export interface ToolResult {
  readonly tool: string;
  readonly toolCallId: string;
  readonly state?: 'output-available' | 'output-error' | undefined;
  readonly output?: unknown;
  readonly errorText?: string | undefined;
}

/**
 * What another page of the same chat must know of the turn under way, beside the credentials that the client
 * keeps: where a replay goes, and what stood before it.
 */
export interface Turn {
  readonly requestId: string;
  /** The assistant message that this answer goes on with (after a tool result), when it does. */
  readonly continues?: string | undefined;
  /** The messages that were sent; only kept for those who ask for it. */
  readonly messages?: readonly ChatMessage[] | undefined;
  /** The stream, once there is one. */
  readonly streamId?: string | undefined;
  /** True once someone on this machine stopped it: it is not taken up again. */
  readonly stopped?: boolean | undefined;
  readonly toolResults?: readonly ToolResult[] | undefined;
}

/** Keeps one turn per chat. What a full or blocked storage refuses is reported and survived. */
export class TurnStore {
  readonly #storage: StorageLike;
  readonly #prefix: string;
  readonly #warn: (warning: Error) => void;

  constructor(storage: StorageLike, prefix: string, warn: (warning: Error) => void) {
    this.#storage = storage;
    this.#prefix = prefix;
    this.#warn = warn;
  }

  async get(chatId: string): Promise<Turn | undefined> {
    try {
      const text = await this.#storage.getItem(this.#key(chatId));
      if (text === null) return undefined;
      const turn: unknown = JSON.parse(text);
      return isTurn(turn) ? turn : undefined;
    } catch (cause) {
      this.#report('read', cause);
      return undefined;
    }
  }

  async set(chatId: string, turn: Turn): Promise<void> {
    // Pictures in a long chat can outgrow a storage: the last message is what a page misses first.
    for (const messages of [turn.messages, turn.messages?.slice(-1)]) {
      try {
        await this.#storage.setItem(this.#key(chatId), JSON.stringify({ ...turn, messages }));
        return;
      } catch (cause) {
        this.#report('keep', cause);
      }
    }
  }

  /** Forgets the turn of this stream; leaves a newer one, of this page or of another, alone. */
  async remove(chatId: string, streamId: string | undefined): Promise<void> {
    const turn = await this.get(chatId);
    if (!turn || turn.stopped || turn.streamId !== streamId) return;
    try {
      await this.#storage.removeItem(this.#key(chatId));
    } catch (cause) {
      this.#report('forget', cause);
    }
  }

  #key(chatId: string): string {
    return `${this.#prefix}:turn:${chatId}`;
  }

  #report(what: string, cause: unknown): void {
    this.#warn(new Error(`The storage could not ${what} the turn of a chat.`, { cause }));
  }
}

/** Storages and channels are open to every script of the origin: what has a wrong shape gets no further. */
export function isTurn(value: unknown): value is Turn {
  if (typeof value !== 'object' || value === null) return false;
  const turn = value as Record<string, unknown>;
  return (
    typeof turn['requestId'] === 'string' &&
    isOptional(turn['continues'], 'string') &&
    isOptional(turn['streamId'], 'string') &&
    isOptional(turn['stopped'], 'boolean') &&
    (turn['messages'] === undefined ||
      (Array.isArray(turn['messages']) && turn['messages'].every(isMessage))) &&
    (turn['toolResults'] === undefined || Array.isArray(turn['toolResults']))
  );
}

function isOptional(value: unknown, type: 'string' | 'boolean'): boolean {
  return value === undefined || typeof value === type;
}

function isMessage(value: unknown): boolean {
  const message = value as Record<string, unknown> | null;
  return (
    typeof message?.['id'] === 'string' &&
    typeof message['role'] === 'string' &&
    Array.isArray(message['parts'])
  );
}
