import type { Logger } from '../shared/logger.ts';
import { metadataOf } from '../store/metadata.ts';
import type { ByteStore, StreamInfo } from '../store/types.ts';
import { noticeIntervalMs, unreadTimeoutOf } from './timeout.ts';

export interface ReaderNoticesOptions {
  readonly store: Pick<ByteStore, 'head'>;
  /** Sends a notice to the process that pumps the stream. */
  readonly notify: (owner: string, streamId: string) => Promise<unknown>;
  readonly logger: Logger;
}

/** A stream of another process that is read in this one. */
interface Read {
  /** Readers now. */
  readers: number;
  /** True if the stream was read since the last notice. */
  isUnreported: boolean;
  isNotifying: boolean;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Notifies the owners of streams with an unread timeout that this process has readers: at the first reader, and then
 * at an interval while there are readers. A stream costs one notice per interval, regardless of how many readers it
 * has and how often they reconnect.
 */
export class ReaderNotices {
  readonly #options: ReaderNoticesOptions;
  readonly #reads = new Map<string, Read>();

  constructor(options: ReaderNoticesOptions) {
    this.#options = options;
  }

  /**
   * Counts a reader. Returns the function to call when it disconnects, or undefined if the stream has no unread
   * timeout.
   */
  enter(streamId: string, info: StreamInfo): (() => void) | undefined {
    const timeoutMs = unreadTimeoutOf(info.metadata);
    if (timeoutMs === undefined || info.end) return undefined;
    const read = this.#reads.get(streamId) ?? this.#begin(streamId, timeoutMs, info);
    read.readers += 1;
    read.isUnreported = true;
    return () => {
      read.readers -= 1;
      read.isUnreported = true;
    };
  }

  stop(): void {
    for (const { timer } of this.#reads.values()) clearInterval(timer);
    this.#reads.clear();
  }

  #begin(streamId: string, timeoutMs: number, info: StreamInfo): Read {
    const read: Read = { readers: 0, isUnreported: true, isNotifying: false, timer: undefined };
    const { store } = this.#options;
    this.#reads.set(streamId, read);
    const notifyAgain = () => void this.#notify(streamId, read, () => store.head(streamId));
    read.timer = setInterval(notifyAgain, noticeIntervalMs(timeoutMs)).unref();
    void this.#notify(streamId, read, () => Promise.resolve(info));
    return read;
  }

  /** Sends a notice if the stream was read since the last one. Never rejects. */
  async #notify(streamId: string, read: Read, head: () => Promise<StreamInfo | undefined>): Promise<void> {
    if (read.isNotifying) return;
    if (!read.isUnreported) return this.#forget(streamId, read);
    read.isNotifying = true;
    try {
      // The owner may have changed.
      const info = await head();
      if (!info || info.end) return this.#forget(streamId, read);
      read.isUnreported = read.readers > 0;
      await this.#options.notify(metadataOf(info).owner, streamId);
    } catch (err) {
      read.isUnreported = true;
      this.#options.logger.debug({ err, streamId }, 'could not report the readers of a stream to its owner');
    } finally {
      read.isNotifying = false;
    }
  }

  #forget(streamId: string, read: Read): void {
    clearInterval(read.timer);
    if (this.#reads.get(streamId) === read) this.#reads.delete(streamId);
  }
}
