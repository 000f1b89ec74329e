import type { Readable } from 'node:stream';
import { discardBody } from '../upstream/client.ts';

/** Receives the bytes of a source. Ignores all calls after the first `ended` or `failed`. */
export interface Sink {
  data(chunk: Uint8Array): void;
  ended(): void;
  failed(error: Error): void;
}

/** Provides the bytes of a stream, such as the body of a response. */
export interface Source {
  /** Starts to deliver to a sink. Called once. */
  deliverTo(sink: Sink): void;
  pause(): void;
  resume(): void;
  readonly isPaused: boolean;
  /** True if received bytes have not been delivered. */
  readonly isBehind: boolean;
  /** Delivers the received bytes, even while the source is paused. */
  drain(): void;
  /** Cancels the rest of the response and delivers no more bytes. Has no effect after the end. */
  discard(): void;
}

/** Returns the body of one response as a source. */
export function sourceOf(body: Readable): Source {
  return new BodySource(body);
}

class BodySource implements Source {
  readonly #body: Readable;
  #isDiscarded = false;

  constructor(body: Readable) {
    this.#body = body;
  }

  deliverTo(sink: Sink): void {
    const body = this.#body;
    body
      // A destroyed body may still emit the chunks that it had read.
      .on('data', (chunk: Uint8Array) => this.#isDiscarded || sink.data(chunk))
      .on('end', () => sink.ended())
      .on('error', (error) => sink.failed(error))
      // A body that is destroyed without an error emits only `close`. After an end, this has no effect.
      .on('close', () => sink.failed(new Error('the connection closed before the body ended')));
    // A body that has failed already emits no event.
    if (body.destroyed) sink.failed(body.errored ?? new Error('the body was destroyed'));
  }

  pause(): void {
    this.#body.pause();
  }

  resume(): void {
    this.#body.resume();
  }

  get isPaused(): boolean {
    return this.#body.isPaused();
  }

  get isBehind(): boolean {
    return !this.#isDiscarded && this.#body.readableLength > 0;
  }

  drain(): void {
    while (!this.#isDiscarded && this.#body.read() !== null);
  }

  discard(): void {
    if (this.#body.readableEnded) return;
    this.#isDiscarded = true;
    discardBody(this.#body);
  }
}
