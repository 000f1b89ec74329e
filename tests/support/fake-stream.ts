import type { Follower, Frame, StreamInfo, StreamStore } from '../../server/store/types.ts';

/** A stream of a fake store: the test adds frames and failures, and resolves `follow` when it wants. */
export class FakeStream {
  readonly info: StreamInfo = { contentType: 'text/plain', ttlSeconds: 60, metadata: {}, tail: '0' };
  /** True once the reader released its follower. */
  stopped = false;
  failure: Error | undefined;
  readonly #frames: Frame[] = [];
  #onReadable: () => void = () => undefined;
  #onFollowed: () => void = () => undefined;
  #followed: Promise<void> = Promise.resolve();
  /** Calls of `read` that wait for the test. */
  readonly reads: ((frame: Frame) => void)[] = [];

  /**
   * Makes `follow` wait.
   * @returns a function that lets it continue.
   */
  holdFollow(): () => void {
    this.#followed = new Promise((resolve) => (this.#onFollowed = resolve));
    return () => this.#onFollowed();
  }

  /** Adds a frame and wakes the reader. */
  add(text: string, end?: Frame['end']): void {
    this.#frames.push({
      bytes: Buffer.from(text),
      next: `after-${text}`,
      upToDate: true,
      ...(end && { end }),
    });
    this.#onReadable();
  }

  fail(failure: Error): void {
    this.failure = failure;
    this.#onReadable();
  }

  /** Wakes the reader, as a store may do late. */
  wake(): void {
    this.#onReadable();
  }

  get store(): StreamStore {
    const follower: Follower = {
      info: this.info,
      metadata: this.info.metadata,
      next: () => {
        if (this.failure) throw this.failure;
        return this.stopped ? undefined : this.#frames.shift();
      },
      stop: () => void (this.stopped = true),
    };
    return {
      follow: async (_id: string, _offset: string, onReadable: () => void) => {
        this.#onReadable = onReadable;
        await this.#followed;
        return follower;
      },
      read: () => new Promise<Frame>((resolve) => this.reads.push(resolve)),
    } as Partial<StreamStore> as StreamStore;
  }
}
