import type { Logger } from '../shared/logger.ts';
import { metadataOf } from '../store/metadata.ts';
import type { ByteStore, StreamInfo } from '../store/types.ts';
import { noticeIntervalMs, unreadTimeoutOf } from './timeout.ts';

export interface ReaderNoticesOptions {
  readonly store: Pick<ByteStore, 'head'>;
  /** Sends a notice to the process that pumps the stream. */
  readonly tell: (owner: string, streamId: string) => Promise<unknown>;
  readonly logger: Logger;
}

/** A stream of another process that is read in this one. */
interface Read {
  /** Readers now. */
  readers: number;
  /** Whether it was read since the last notice. */
  isUntold: boolean;
  isTelling: boolean;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Notifies the owners of streams with an unread timeout that this process has readers: at the first reader, and then at an
 * interval for as long as there are readers. However many readers there are and however often they come back, a stream
 * costs one notice in an interval.
 */
export class ReaderNotices {
  readonly #options: ReaderNoticesOptions;
  readonly #reads = new Map<string, Read>();

  constructor(options: ReaderNoticesOptions) {
    this.#options = options;
  }

  /** Counts a reader. Returns the function for when it leaves, or undefined if the stream has no unread timeout. */
  enter(streamId: string, info: StreamInfo): (() => void) | undefined {
    const timeoutMs = unreadTimeoutOf(info.metadata);
    if (timeoutMs === undefined || info.end) return undefined;
    const read = this.#reads.get(streamId) ?? this.#begin(streamId, timeoutMs, info);
    read.readers += 1;
    read.isUntold = true;
    return () => {
      read.readers -= 1;
      read.isUntold = true;
    };
  }

  stop(): void {
    for (const { timer } of this.#reads.values()) clearInterval(timer);
    this.#reads.clear();
  }

  #begin(streamId: string, timeoutMs: number, info: StreamInfo): Read {
    const read: Read = { readers: 0, isUntold: true, isTelling: false, timer: undefined };
    const { store } = this.#options;
    this.#reads.set(streamId, read);
    const tellAgain = () => void this.#tell(streamId, read, () => store.head(streamId));
    read.timer = setInterval(tellAgain, noticeIntervalMs(timeoutMs)).unref();
    void this.#tell(streamId, read, () => Promise.resolve(info));
    return read;
  }

  /** Sends a notice if the stream was read since the last one. Never rejects. */
  async #tell(streamId: string, read: Read, head: () => Promise<StreamInfo | undefined>): Promise<void> {
    if (read.isTelling) return;
    if (!read.isUntold) return this.#forget(streamId, read);
    read.isTelling = true;
    try {
      // Its owner may be another one by now.
      const info = await head();
      if (!info || info.end) return this.#forget(streamId, read);
      read.isUntold = read.readers > 0;
      await this.#options.tell(metadataOf(info).owner, streamId);
    } catch (err) {
      read.isUntold = true;
      this.#options.logger.debug({ err, streamId }, 'could not tell the owner of a stream that it is read');
    } finally {
      read.isTelling = false;
    }
  }

  #forget(streamId: string, read: Read): void {
    clearInterval(read.timer);
    if (this.#reads.get(streamId) === read) this.#reads.delete(streamId);
  }
}
