import type { StoreError } from '../types.ts';
import { type Follower, type Offset, type StreamInfo } from '../types.ts';
import { pause } from './backoff.ts';
import { ENTRY_BYTES, type Commands, type Described, type Opened } from './commands.ts';
import type { Connection } from './connection.ts';
import { notFound, unavailable } from './failures.ts';
import { Feed } from './feed.ts';
import { RedisFollower } from './follower.ts';
import { withNotes } from './messages.ts';
import { formatOffset, invalidOffset, parseOffset } from './offsets.ts';

/** Milliseconds of silence after which a followed stream is looked at: messages may get lost, and expiry sends none. */
const QUIET_MS = 750;
/** Looks are spread over this many ticks of the quiet time. */
const TICKS = 4;

interface Entry {
  readonly feed: Feed;
  readonly channel: string;
  subscribed: boolean;
  looking: boolean;
}

export interface FeedsOptions {
  readonly commands: Commands;
  readonly connection: Pick<Connection, 'subscribe' | 'unsubscribe' | 'tend'>;
  /** This store's name as an owner of streams. */
  readonly who: string;
}

/** The feeds of all streams that are followed in this process. */
export class Feeds {
  readonly #options: FeedsOptions;
  readonly #entries = new Map<string, Entry>();
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #failure: StoreError | undefined;

  constructor(options: FeedsOptions) {
    this.#options = options;
  }

  /** The feed of a stream, when somebody follows it. */
  get(id: string): Feed | undefined {
    return this.#entries.get(id)?.feed;
  }

  async follow(
    id: string,
    offset: Offset,
    onReadable: () => void,
    maxBytes = ENTRY_BYTES,
  ): Promise<Follower> {
    const from = parseOffset(offset);
    const opened = await this.#options.commands.open(id);
    if (this.#failure) throw this.#failure;
    if (from > opened.tail) throw invalidOffset();
    const { feed } = this.#entryOf(id, opened);
    const info = infoOf(opened);
    return new RedisFollower({ feed, info, from, maxBytes: Math.max(1, maxBytes), onReadable });
  }

  /** Looks at all streams: messages may have been missed. */
  readonly lookAtAll = (): void => {
    for (const entry of this.#entries.values()) void this.#look(entry);
  };

  /** Ends all of them. */
  end(failure: StoreError): void {
    this.#failure = failure;
    clearInterval(this.#timer);
    for (const { feed } of [...this.#entries.values()]) feed.fail(failure);
  }

  #entryOf(id: string, opened: Opened): Entry {
    const known = this.#entries.get(id);
    if (known?.feed.epoch === opened.epoch && !known.feed.failure) {
      known.feed.learn(opened, 0);
      return known;
    }
    // Another life of the id has begun.
    known?.feed.fail(notFound());
    const { commands, who } = this.#options;
    const keys = commands.keys(id);
    const feed = new Feed({
      id,
      state: opened,
      read: (from, maxBytes, touch) => commands.read(id, from, maxBytes, touch, opened.epoch),
      onIdle: () => this.#release(entry),
    });
    // What this store itself writes it knows without being told.
    const channel = opened.owner === who ? keys.foreign : keys.live;
    const entry: Entry = { feed, channel, subscribed: false, looking: false };
    this.#entries.set(id, entry);
    if (feed.isLive) void this.#subscribe(entry);
    this.#timer ??= setInterval(() => this.#tick(), QUIET_MS / TICKS).unref();
    return entry;
  }

  /** Subscribes for as long as it takes, then looks once for what came before. */
  async #subscribe(entry: Entry): Promise<void> {
    const { connection } = this.#options;
    for (let attempt = 0; this.#isWanted(entry); attempt += 1) {
      try {
        await connection.subscribe(entry.channel, entry.feed.onMessage);
        entry.subscribed = true;
        if (this.#isWanted(entry)) void this.#look(entry);
        else await connection.unsubscribe(entry.channel, entry.feed.onMessage);
        return;
      } catch {
        await pause(attempt);
      }
    }
  }

  #isWanted(entry: Entry): boolean {
    return entry.feed.isLive && this.#entries.get(entry.feed.id) === entry;
  }

  /** Called when a feed has no reader any more, or nothing more to tell. */
  #release(entry: Entry): void {
    const { feed, channel } = entry;
    if (this.#entries.get(feed.id) === entry && !(feed.hasReaders && !feed.failure)) {
      this.#entries.delete(feed.id);
      if (this.#entries.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
    if (!entry.subscribed) return;
    entry.subscribed = false;
    void this.#options.connection.unsubscribe(channel, feed.onMessage);
  }

  #tick(): void {
    this.#options.connection.tend();
    const due = performance.now() - QUIET_MS;
    // Streams that fell silent together are not looked at together.
    let left = Math.ceil(this.#entries.size / TICKS);
    const isAgeing = (this.#ticks += 1) % TICKS === 0;
    for (const entry of this.#entries.values()) {
      if (isAgeing) entry.feed.age();
      if (left > 0 && entry.feed.isLive && entry.feed.heardAt <= due && !entry.looking) {
        left -= 1;
        void this.#look(entry).then((missed) => {
          if (missed) return this.#subscribeAgain(entry);
        });
      }
    }
  }

  /** A subscription that tells nothing of what happens is none. */
  async #subscribeAgain(entry: Entry): Promise<void> {
    if (!entry.subscribed || !this.#isWanted(entry)) return;
    entry.subscribed = false;
    await this.#options.connection.unsubscribe(entry.channel, entry.feed.onMessage);
    await this.#subscribe(entry);
  }

  /** Gives whether there was anything that no message had told. */
  async #look(entry: Entry): Promise<boolean> {
    const { feed } = entry;
    if (entry.looking || !feed.isLive) return false;
    entry.looking = true;
    const asked = feed.tail;
    try {
      return feed.learn(await this.#options.commands.head(feed.id), asked);
    } catch (error) {
      feed.fail(unavailable(error));
      return false;
    } finally {
      entry.looking = false;
    }
  }
}

/** What Redis says of a stream. */
export function infoOf({ init, notes, fence, tail, end }: Described): StreamInfo {
  const metadata = withNotes(init.metadata, notes);
  return { ...init, metadata, fence, tail: formatOffset(tail), ...(end && { end }) };
}
