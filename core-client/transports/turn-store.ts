import { randomId } from '../fingerprint.ts';
import type { StorageLike } from '../types.ts';
import { inOrder, type Pending } from '../in-order.ts';
import { removeIf, type ConditionalStorage } from '../remove-if.ts';
import { pack, unpack } from '../stored.ts';
import { isTurn, type ChatMessage, type Turn } from './turns.ts';

/** Longest part of a message, other than text, that is stored if the complete message does not fit. In characters. */
const MAX_PART_CHARS = 32 * 1024;

/** Messages and tool results of a turn. */
type Content = Pick<Turn, 'messages' | 'toolResults'>;

/** A stored turn. Its content is in another storage, with the same `token`. */
interface Stored extends Turn {
  readonly token: string;
}

export interface TurnStoreOptions {
  /** Stores what must survive an immediate close of the page, a few hundred bytes for each chat. */
  readonly storage: ConditionalStorage;
  /** Prefix of the keys in both storages. */
  readonly prefix: string;
  readonly warn: (warning: Error) => void;
  /** Stores messages and tool results. @default `storage` */
  readonly contents?: ConditionalStorage | undefined;
}

/** Stores one turn for each chat. If the storage is full or blocked, reports that and continues without it. */
export class TurnStore {
  readonly #storage: ConditionalStorage;
  readonly #contents: ConditionalStorage;
  readonly #prefix: string;
  readonly #warn: (warning: Error) => void;
  /** The last written content, by chat. */
  readonly #written = new Map<string, { readonly token: string; readonly content: Content }>();
  readonly #pending: Pending = new Map();
  /** The write in progress. Writes of content are sequential, and no request waits for them. */
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
    const { token, ...turn } = stored as Stored;
    await this.#writing;
    const content = await this.#read(this.#contents, this.#contentKey(chatId));
    const whole = { ...turn, ...(belongsTo(content, token) && content) };
    return isTurn(whole) ? withoutToken(whole) : turn;
  }

  /** Resolves when the turn is stored. Its messages may be stored later. */
  async set(chatId: string, turn: Turn): Promise<void> {
    if (this.#isClosed) return;
    const { messages, toolResults, ...rest } = turn;
    const before = this.#written.get(chatId);
    const isSame =
      before && before.content.messages === messages && before.content.toolResults === toolResults;
    const token = isSame ? before.token : randomId();
    const content = { messages, toolResults };
    this.#written.set(chatId, { token, content });
    const stored: Stored = { ...rest, token };
    if (!isSame) this.#later(() => this.#setContent(chatId, token, content));
    await this.#change('keep', chatId, (key) => this.#storage.setItem(key, pack(stored)));
  }

  /** Removes the turn of this stream, unless it was stopped. Does not remove a newer one. */
  async remove(chatId: string, streamId: string | undefined): Promise<void> {
    await this.#removeIf(chatId, (turn) => !turn.stopped && turn.streamId === streamId);
  }

  /** Removes a stopped turn, once its answer is stopped on the server. */
  async removeStopped(chatId: string, streamId: string | undefined): Promise<void> {
    await this.#removeIf(chatId, (turn) => turn.stopped === true && turn.streamId === streamId);
  }

  /** Stops writing. Resolves when the writes in progress are done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#writing, ...this.#pending.values()]);
  }

  async #removeIf(chatId: string, condition: (turn: Turn) => boolean): Promise<void> {
    let token: string | undefined;
    const isMeant = (text: string): boolean => {
      const turn = unpack(text);
      if (!isTurn(turn) || !condition(turn)) return false;
      ({ token } = turn as Stored);
      return true;
    };
    await this.#change('remove', chatId, (key) => removeIf(this.#storage, key, isMeant));
    const removed = token;
    if (removed === undefined) return;
    if (this.#written.get(chatId)?.token === removed) this.#written.delete(chatId);
    // Another tab may have written the content of its own turn.
    const isContent = (text: string) => belongsTo(unpack(text), removed);
    this.#later(() => removeIf(this.#contents, this.#contentKey(chatId), isContent));
  }

  async #change(what: string, chatId: string, run: (key: string) => unknown): Promise<void> {
    const key = this.#turnKey(chatId);
    await inOrder(this.#pending, key, () => this.#attempt(what, () => run(key)));
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
        await this.#contents.setItem(key, pack({ ...content, messages, token }));
        return;
      } catch (cause) {
        this.#report('keep', cause);
      }
    }
  }

  async #read(storage: StorageLike, key: string): Promise<unknown> {
    const text = await this.#attempt('read', async () => (await storage.getItem(key)) ?? undefined);
    return text === undefined ? undefined : this.#attempt('read', () => unpack(text));
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

/** Removes large parts other than text, which a page needs most. */
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

function withoutToken({ token: _, ...turn }: Partial<Stored> & Turn): Turn {
  return turn;
}
