import { randomId } from '../fingerprint.ts';
import type { StorageLike } from '../types.ts';
import { removeIf, type ConditionalStorage } from './remove-if.ts';
import { isTurn, type ChatMessage, type Turn } from './turns.ts';

/** Age at which a turn is swept, in milliseconds: a week, as for the credentials of an answer. */
export const LIFETIME_MS = 7 * 24 * 3_600_000;

/** Characters of a part of a message, other than text, that is kept where the whole message does not fit. */
const MAX_PART_CHARS = 32 * 1024;

/** What a user wrote or a tool returned, and what it belongs to. */
type Content = Pick<Turn, 'messages' | 'toolResults'>;

/** One turn as it is stored. The content is in a storage of its own, under the same `token`. */
interface Stored extends Turn {
  readonly token: string;
  /** When it was written, in milliseconds since 1970. */
  readonly at: number;
}

export interface TurnStoreOptions {
  /** Holds what must survive that a page is closed at once, a few hundred bytes for each chat. */
  readonly storage: ConditionalStorage;
  /** Of the keys in both storages. */
  readonly prefix: string;
  readonly warn: (warning: Error) => void;
  /** Holds messages and tool results. Default: `storage`. */
  readonly contents?: ConditionalStorage | undefined;
}

/** Keeps one turn for each chat. Reports what a full or blocked storage refuses, and goes on without. */
export class TurnStore {
  readonly #storage: ConditionalStorage;
  readonly #contents: ConditionalStorage;
  readonly #prefix: string;
  readonly #warn: (warning: Error) => void;
  /** What was written last, by chat. */
  readonly #written = new Map<string, { readonly token: string; readonly content: Content }>();
  /** Content is written one after the other, and no send waits for it. */
  #writing: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor({ storage, prefix, warn, contents = storage }: TurnStoreOptions) {
    this.#storage = storage;
    this.#contents = contents;
    this.#prefix = prefix;
    this.#warn = warn;
  }

  async get(chatId: string): Promise<Turn | undefined> {
    const stored = await this.#read(this.#storage, this.#turnKey(chatId));
    if (!isTurn(stored)) return undefined;
    const { token, at: _, ...turn } = stored as Stored;
    await this.#writing;
    const content = await this.#read(this.#contents, this.#contentKey(chatId));
    const whole = { ...turn, ...(belongsTo(content, token) && content) };
    return isTurn(whole) ? withoutToken(whole) : turn;
  }

  /** Resolves when the turn is stored; its messages may still be on their way. */
  async set(chatId: string, turn: Turn): Promise<void> {
    if (this.#isClosed) return;
    const { messages, toolResults, ...rest } = turn;
    const before = this.#written.get(chatId);
    const isSame =
      before && before.content.messages === messages && before.content.toolResults === toolResults;
    const token = isSame ? before.token : randomId();
    const content = { messages, toolResults };
    this.#written.set(chatId, { token, content });
    const stored: Stored = { ...rest, token, at: Date.now() };
    if (!isSame) this.#later(() => this.#setContent(chatId, token, content));
    await this.#attempt('keep', () => this.#storage.setItem(this.#turnKey(chatId), JSON.stringify(stored)));
  }

  /** Removes the turn of this stream, unless it was stopped; leaves a newer one alone. */
  async remove(chatId: string, streamId: string | undefined): Promise<void> {
    await this.#removeIf(chatId, (turn) => !turn.stopped && turn.streamId === streamId);
  }

  /** Removes a stopped turn, once its answer is stopped on the server. */
  async removeStopped(chatId: string, streamId: string | undefined): Promise<void> {
    await this.#removeIf(chatId, (turn) => turn.stopped === true && turn.streamId === streamId);
  }

  /** Ends all writing. Resolves when what was begun is written. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing;
  }

  async #removeIf(chatId: string, condition: (turn: Turn) => boolean): Promise<void> {
    let token: string | undefined;
    const isMeant = (text: string): boolean => {
      const turn: unknown = JSON.parse(text);
      if (!isTurn(turn) || !condition(turn)) return false;
      ({ token } = turn as Stored);
      return true;
    };
    await this.#attempt('remove', () => removeIf(this.#storage, this.#turnKey(chatId), isMeant));
    const removed = token;
    if (removed === undefined) return;
    if (this.#written.get(chatId)?.token === removed) this.#written.delete(chatId);
    // Another tab may have written the content of its own turn.
    const isContent = (text: string) => belongsTo(JSON.parse(text), removed);
    this.#later(() => removeIf(this.#contents, this.#contentKey(chatId), isContent));
  }

  async #setContent(chatId: string, token: string, content: Content): Promise<void> {
    const key = this.#contentKey(chatId);
    if (!content.messages && !content.toolResults) {
      await this.#contents.removeItem(key);
      return;
    }
    for (const smaller of [(all: Messages) => all, withoutAttachments, lastWithoutAttachments, none]) {
      const messages = content.messages && smaller(content.messages);
      try {
        await this.#contents.setItem(key, JSON.stringify({ ...content, messages, token, at: Date.now() }));
        return;
      } catch (cause) {
        this.#report('keep', cause);
      }
    }
  }

  async #read(storage: StorageLike, key: string): Promise<unknown> {
    const text = await this.#attempt('read', async () => (await storage.getItem(key)) ?? undefined);
    return text === undefined ? undefined : this.#attempt('read', () => JSON.parse(text) as unknown);
  }

  #later(run: () => unknown): void {
    this.#writing = this.#writing.then(() => this.#attempt('keep', run));
  }

  async #attempt<T>(what: string, run: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (cause) {
      this.#report(what, cause);
      return undefined;
    }
  }

  #turnKey(chatId: string): string {
    return `${this.#prefix}:turn:${chatId}`;
  }

  #contentKey(chatId: string): string {
    return `${this.#prefix}:content:${chatId}`;
  }

  #report(what: string, cause: unknown): void {
    this.#warn(new Error(`The storage could not ${what} the turn of a chat.`, { cause }));
  }
}

type Messages = readonly ChatMessage[];

/** What was written, not what a model made of it, is what a page misses first. */
function withoutAttachments(messages: Messages): Messages {
  return messages.map((message) => ({
    ...message,
    parts: message.parts.filter(
      (part) => part.type === 'text' || JSON.stringify(part).length <= MAX_PART_CHARS,
    ),
  }));
}

const lastWithoutAttachments = (messages: Messages) => withoutAttachments(messages.slice(-1));

const none = () => undefined;

function belongsTo(content: unknown, token: string): content is object {
  return typeof content === 'object' && content !== null && Reflect.get(content, 'token') === token;
}

function withoutToken({ token: _, at: __, ...turn }: Partial<Stored> & Turn): Turn {
  return turn;
}
