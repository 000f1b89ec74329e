import type { Fence, StreamEnd, StreamInfo, StreamStore } from '../store/types.ts';
import type { Closing, Webhooks } from './webhooks.ts';

/** Options for closing a stream. */
export interface CloseOptions {
  /** Last bytes of the response, stored in one step with the end. */
  readonly last?: Uint8Array | undefined;
  /** Fence of the process that closes. Without it, the closing is not compared with the stream's fence. */
  readonly fence?: Fence | undefined;
  /**
   * If the webhook cannot be stored, tries again until this aborts, then closes the stream without its webhook.
   * Default: throws, and leaves the stream open.
   */
  readonly giveUp?: AbortSignal;
}

/** Closes every stream of the proxy. Stores the webhook first, so that every closed stream has one. */
export class StreamCloser {
  readonly #store: Pick<StreamStore, 'close' | 'positionOf'>;
  readonly #webhooks: Webhooks | undefined;

  /** @param webhooks undefined without the option `webhook`. */
  constructor(store: Pick<StreamStore, 'close' | 'positionOf'>, webhooks: Webhooks | undefined) {
    this.#store = store;
    this.#webhooks = webhooks;
  }

  /**
   * Closes a stream that this process pumps.
   * @returns the end that is stored.
   * @throws StoreError
   */
  async close(closing: Closing, { last, fence, giveUp }: CloseOptions = {}): Promise<StreamEnd> {
    if (giveUp) await this.#webhooks?.announceUntil(closing, giveUp);
    else await this.#webhooks?.announce(closing);
    return this.#store.close(closing.streamId, closing.end, last, fence);
  }

  /**
   * Closes the stream of another process, which is dead or does not respond.
   * @returns the end that is stored.
   * @throws StoreError
   */
  closeFor(streamId: string, info: StreamInfo, end: StreamEnd, fence?: Fence): Promise<StreamEnd> {
    const { metadata, tail } = info;
    const bytes = this.#store.positionOf?.(tail) ?? null;
    return this.close({ streamId, metadata, end, bytes }, { fence });
  }
}
