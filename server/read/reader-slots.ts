import type { ServerResponse } from 'node:http';
import { ProxyError } from '../shared/errors.ts';
import { isClosed } from '../http/response.ts';

/** Seconds after which a rejected reader should retry (RFC 9110, section 10.2.3). */
const RETRY_AFTER_SECONDS = '2';

export interface ReaderLimits {
  /** Maximum number of reads in progress in this process. */
  readonly maxReaders: number;
  /** Maximum number of reads in progress of one stream in this process. */
  readonly maxReadersPerStream: number;
}

/** Counts the reads in progress, in every mode, until their responses are closed. */
export class ReaderSlots {
  readonly #limits: ReaderLimits;
  readonly #byStream = new Map<string, number>();
  #total = 0;

  constructor(limits: ReaderLimits) {
    this.#limits = limits;
  }

  /** Returns true if another read of this stream may begin. */
  hasRoom(streamId: string): boolean {
    return this.#reachedLimit(streamId) === undefined;
  }

  /**
   * Takes a slot until the response is closed.
   * @throws ProxyError `TOO_MANY_READERS` with Retry-After.
   */
  take(streamId: string, res: ServerResponse): void {
    const limit = this.#reachedLimit(streamId);
    if (limit !== undefined) {
      throw new ProxyError('TOO_MANY_READERS', `Too many reads are in progress (${limit}). Try again`, {
        headers: { 'Retry-After': RETRY_AFTER_SECONDS },
      });
    }
    if (isClosed(res)) return;
    this.#total += 1;
    this.#byStream.set(streamId, (this.#byStream.get(streamId) ?? 0) + 1);
    res.once('close', () => this.#free(streamId));
  }

  #free(streamId: string): void {
    this.#total -= 1;
    const left = (this.#byStream.get(streamId) ?? 1) - 1;
    if (left > 0) this.#byStream.set(streamId, left);
    else this.#byStream.delete(streamId);
  }

  #reachedLimit(streamId: string): keyof ReaderLimits | undefined {
    const { maxReaders, maxReadersPerStream } = this.#limits;
    if (this.#total >= maxReaders) return 'maxReaders';
    if ((this.#byStream.get(streamId) ?? 0) >= maxReadersPerStream) return 'maxReadersPerStream';
    return undefined;
  }
}
