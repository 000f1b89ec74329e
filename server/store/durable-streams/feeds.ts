import { notFound } from '../shared/errors.ts';
import { FRAME_BYTES } from '../shared/frames.ts';
import { TailFollower } from '../shared/tail-follower.ts';
import type { Follower, Offset, StoreError, StreamEnd } from '../types.ts';
import { Feed, type FeedContext } from './feed.ts';
import type { Incarnation } from './meta-log.ts';
import { StoredBytes } from './stored-bytes.ts';

/** Milliseconds between two checks of all feeds. */
const CHECK_MS = 1_000;

export interface FeedsOptions extends FeedContext {
  /** Returns the offset just past the last byte of a stream that only this process writes, otherwise undefined. */
  readonly ownTail: (id: string) => Offset | undefined;
}

/** State of the data stream at the backend. */
interface Data {
  readonly tail: Offset;
  readonly end?: StreamEnd;
}

/** The feeds of all streams that have followers in this process, and the timer that checks them. */
export class Feeds {
  readonly #options: FeedsOptions;
  readonly #feeds = new Map<string, Feed>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FeedsOptions) {
    this.#options = options;
  }

  get(id: string): Feed | undefined {
    return this.#feeds.get(id);
  }

  async follow(
    id: string,
    offset: Offset,
    onReadable: () => void,
    maxBytes = FRAME_BYTES,
  ): Promise<Follower> {
    const { backend, metadata } = this.#options;
    const source = new StoredBytes(backend, metadata, id);
    let follower: TailFollower | undefined;
    try {
      const opening = this.#open(source, id, offset);
      // Awaited below, unless the metadata fail first.
      opening.catch(() => undefined);
      const incarnation = await metadata.read(id);
      if (!incarnation) throw notFound();
      const data = await opening;
      const { tail } = this.#feedOf(id, incarnation, data);
      const info = { ...incarnation.init, ...data };
      follower = new TailFollower({ tail, source, info, offset, maxBytes, onReadable });
      await follower.ready();
      return follower;
    } catch (error) {
      follower?.stop();
      source.release();
      throw error;
    }
  }

  /** Ends all followers. */
  end(failure: StoreError): void {
    for (const feed of [...this.#feeds.values()]) feed.tail.fail(failure);
  }

  /** Requests the bytes at an offset, which restarts the TTL of the stream. */
  async #open(source: StoredBytes, id: string, offset: Offset): Promise<Data> {
    const { metadata, registry } = this.#options;
    const response = await source.open(offset);
    const head = response.upToDate ? undefined : await registry.head(id);
    const { tail, closed } = head ?? { tail: response.next, closed: response.closed };
    return closed ? { tail, end: await metadata.storedEnd(id) } : { tail };
  }

  #feedOf(id: string, { token, init }: Incarnation, { tail, end }: Data): Feed {
    const known = this.#feeds.get(id);
    if (known?.token === token && !known.tail.failure) {
      known.annotate(init.metadata);
      return known;
    }
    // A new stream was created under the same id.
    known?.tail.fail(notFound());
    const own = end ? undefined : this.#options.ownTail(id);
    const feed = new Feed({
      ...this.#options,
      id,
      token,
      entries: init.metadata,
      offset: own ?? tail,
      end,
      isOwn: own !== undefined,
      onIdle: (idle) => this.#release(idle),
    });
    this.#feeds.set(id, feed);
    this.#timer ??= setInterval(() => {
      const nowMs = performance.now();
      for (const each of this.#feeds.values()) each.checkSilence(nowMs);
    }, CHECK_MS).unref();
    return feed;
  }

  /** Removes a feed, unless it has readers that have not read the end yet. */
  #release(feed: Feed): void {
    if (this.#feeds.get(feed.id) !== feed || (feed.tail.hasReaders && !feed.tail.failure)) return;
    this.#feeds.delete(feed.id);
    if (this.#feeds.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
