import { formatOffset, parseOffset } from '../shared/byte-offsets.ts';
import { invalidOffset, notFound } from '../shared/errors.ts';
import { FRAME_BYTES } from '../shared/frames.ts';
import { TailFollower } from '../shared/tail-follower.ts';
import type { Follower, Offset, StoreError, StreamInfo } from '../types.ts';
import { pause } from './backoff.ts';
import type { Commands, Described, Opened } from './commands.ts';
import type { Connection } from './connection.ts';
import { unavailable } from './failures.ts';
import { Feed } from './feed.ts';
import { withNotes } from './messages.ts';

/** Milliseconds without a message after which a stream is polled. Messages may get lost, and an expiry sends none. */
const QUIET_MS = 750;
/** Polls are spread over this many ticks of `QUIET_MS`. */
const TICKS = 4;

interface OpenFeed {
  readonly feed: Feed;
  readonly channel: string;
  isSubscribed: boolean;
  isPolling: boolean;
}

export interface FeedsOptions {
  readonly commands: Commands;
  readonly connection: Pick<Connection, 'subscribe' | 'unsubscribe' | 'tend'>;
  /** Owner name of this store's streams. */
  readonly who: string;
}

/** The feeds of all streams that have followers in this process. */
export class Feeds {
  readonly #options: FeedsOptions;
  readonly #entries = new Map<string, OpenFeed>();
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #failure: StoreError | undefined;

  constructor(options: FeedsOptions) {
    this.#options = options;
  }

  /** Returns the feed of a stream that has followers. If an epoch is given, only the feed of that epoch. */
  get(id: string, epoch?: string): Feed | undefined {
    const feed = this.#entries.get(id)?.feed;
    return epoch === undefined || feed?.epoch === epoch ? feed : undefined;
  }

  async follow(
    id: string,
    offset: Offset,
    onReadable: () => void,
    maxBytes = FRAME_BYTES,
  ): Promise<Follower> {
    const from = parseOffset(offset);
    const opened = await this.#options.commands.open(id);
    if (this.#failure) throw this.#failure;
    if (from > opened.tail) throw invalidOffset();
    const { feed } = this.#entryOf(id, opened);
    const position = formatOffset(from);
    const info = infoOf(opened);
    return new TailFollower({
      tail: feed.tail,
      source: feed,
      info,
      offset: position,
      maxBytes,
      onReadable,
    });
  }

  /** Polls all streams, because messages may have been missed. */
  readonly pollAll = (): void => {
    for (const entry of this.#entries.values()) void this.#poll(entry);
  };

  /** Ends all followers. */
  end(failure: StoreError): void {
    this.#failure = failure;
    clearInterval(this.#timer);
    for (const { feed } of [...this.#entries.values()]) feed.tail.fail(failure);
  }

  #entryOf(id: string, opened: Opened): OpenFeed {
    const known = this.#entries.get(id);
    if (known?.feed.epoch === opened.epoch && !known.feed.tail.failure) {
      known.feed.compare(opened, 0);
      return known;
    }
    // Another stream was created under the id.
    known?.feed.tail.fail(notFound());
    const { commands, who } = this.#options;
    const keys = commands.keys(id);
    const feed = new Feed({
      id,
      state: opened,
      read: (from, maxBytes, options) =>
        commands.read(id, from, maxBytes, { ...options, epoch: opened.epoch }),
      onIdle: () => this.#release(entry),
    });
    // The feed gets this store's own writes from memory.
    const channel = opened.owner === who ? keys.foreign : keys.live;
    const entry: OpenFeed = { feed, channel, isSubscribed: false, isPolling: false };
    this.#entries.set(id, entry);
    if (feed.tail.isLive) void this.#subscribe(entry);
    this.#timer ??= setInterval(() => this.#tick(), QUIET_MS / TICKS).unref();
    return entry;
  }

  /** Subscribes, retrying until it succeeds, and polls once for earlier changes. */
  async #subscribe(entry: OpenFeed): Promise<void> {
    const { connection } = this.#options;
    for (let attempt = 0; this.#isWanted(entry); attempt += 1) {
      try {
        await connection.subscribe(entry.channel, entry.feed.onMessage);
        entry.isSubscribed = true;
        if (this.#isWanted(entry)) void this.#poll(entry);
        else await connection.unsubscribe(entry.channel, entry.feed.onMessage);
        return;
      } catch {
        await pause(attempt);
      }
    }
  }

  #isWanted(entry: OpenFeed): boolean {
    return entry.feed.tail.isLive && this.#entries.get(entry.feed.id) === entry;
  }

  /** Unsubscribes, and removes the feed unless it has readers that have not read the end yet. */
  #release(entry: OpenFeed): void {
    const { feed, channel } = entry;
    const isUsed = feed.tail.hasReaders && !feed.tail.failure;
    if (this.#entries.get(feed.id) === entry && !isUsed) {
      this.#entries.delete(feed.id);
      if (this.#entries.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
    if (!entry.isSubscribed) return;
    entry.isSubscribed = false;
    void this.#options.connection.unsubscribe(channel, feed.onMessage);
  }

  #tick(): void {
    this.#options.connection.tend();
    const due = performance.now() - QUIET_MS;
    // Limited per tick, so that streams that became quiet at the same time are not all polled at the same time.
    let left = Math.ceil(this.#entries.size / TICKS);
    const isAgeing = (this.#ticks += 1) % TICKS === 0;
    for (const entry of this.#entries.values()) {
      const { feed } = entry;
      if (isAgeing) feed.tail.age();
      if (left > 0 && feed.tail.isLive && feed.heardAt <= due && !entry.isPolling) {
        left -= 1;
        void this.#poll(entry).then((hasMissed) => {
          if (hasMissed) return this.#resubscribe(entry);
        });
      }
    }
  }

  /** Subscribes again after the subscription has missed a change. */
  async #resubscribe(entry: OpenFeed): Promise<void> {
    if (!entry.isSubscribed || !this.#isWanted(entry)) return;
    entry.isSubscribed = false;
    await this.#options.connection.unsubscribe(entry.channel, entry.feed.onMessage);
    await this.#subscribe(entry);
  }

  /** Asks Redis for the state of a stream. Returns true if no message had reported it. */
  async #poll(entry: OpenFeed): Promise<boolean> {
    const { feed } = entry;
    if (entry.isPolling || !feed.tail.isLive) return false;
    entry.isPolling = true;
    const asked = feed.position;
    try {
      return feed.compare(await this.#options.commands.head(feed.id), asked);
    } catch (error) {
      feed.tail.fail(unavailable(error));
      return false;
    } finally {
      entry.isPolling = false;
    }
  }
}

/** Returns the state of a stream in Redis. */
export function infoOf({ init, notes, fence, tail, end }: Described): StreamInfo {
  const metadata = withNotes(init.metadata, notes);
  return { ...init, metadata, fence, tail: formatOffset(tail), ...(end && { end }) };
}
