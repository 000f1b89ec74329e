import type { Readable } from 'node:stream';
import { createParser } from 'eventsource-parser';
import {
  CONTROL_EVENT,
  DATA_EVENT,
  parseControlEvent,
  type ControlEvent,
} from '../../../protocol/control.ts';
import { STREAM_SSE_DATA_ENCODING } from '../../../protocol/headers.ts';
import { LIVE_SSE } from '../../../protocol/query.ts';
import { notFound } from '../shared/errors.ts';
import type { Offset } from '../types.ts';
import type { Backend } from './backend.ts';
import { headerOf, isGone, readPath, unexpected } from './wire.ts';

/** Maximum number of characters of one event, and of bytes before the control event with their offset. */
const MAX_EVENT_CHARS = 33_554_432;
const MAX_RUN_BYTES = 16_777_216;
/** Milliseconds before a connection that received nothing is opened again. */
const PAUSE_MS = 100;

export interface LiveReadSink {
  /** Called with the bytes after the last offset, and the offset after them. */
  readonly onBytes: (bytes: Uint8Array, next: Offset, upToDate: boolean) => void;
  /** Called with the last bytes, if any, and the final offset. */
  readonly onClosed: (bytes: Uint8Array, next: Offset) => void;
  /**
   * Called if connections end without bytes. The next bytes may be too long for a live read, so they have to be read
   * in another way.
   */
  readonly onStuck: () => void;
  /** Called for any activity on the connection, even without bytes. */
  readonly onAlive: () => void;
  /** Called before each connection except the first. Rejects if the read must not continue. */
  readonly beforeReconnect: () => Promise<void>;
  /** Called once the read has ended: the stream was deleted, or the backend cannot be reached. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * One live read from the backend, with SSE: one connection and no request per append, where long polls would need one
 * for each. Base64 keeps the bytes exact. If a connection ends, the next one continues at the exact offset.
 */
export class LiveRead {
  readonly #backend: Backend;
  readonly #id: string;
  readonly #sink: LiveReadSink;
  readonly #stopped = new AbortController();
  #offset: Offset;
  #cursor: string | undefined;
  #body: Readable | undefined;
  #closed = false;

  constructor(backend: Backend, id: string, offset: Offset, sink: LiveReadSink) {
    this.#backend = backend;
    this.#id = id;
    this.#offset = offset;
    this.#sink = sink;
    this.#run().catch((error: unknown) => {
      if (!this.#stopped.signal.aborted) sink.onFailed(error);
    });
  }

  /** Closes the connection, which may be dead without an error, and opens another. */
  reconnect(): void {
    this.#body?.destroy();
  }

  stop(): void {
    this.#stopped.abort();
    this.#body?.destroy();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    let emptyInARow = 0;
    while (!signal.aborted) {
      const path = readPath(this.#id, this.#offset, LIVE_SSE, this.#cursor);
      const { status, headers, body } = await this.#backend.stream(
        { method: 'GET', path, headers: { accept: 'text/event-stream' } },
        signal,
      );
      if (signal.aborted || status !== 200 || headerOf(headers, STREAM_SSE_DATA_ENCODING) !== 'base64') {
        body.destroy();
        if (signal.aborted) return;
        throw isGone(status) ? notFound() : unexpected('GET', status);
      }
      this.#body = body;
      const { hasBytes, tooLong } = await this.#consume(body);
      if (signal.aborted || this.#closed) return;
      emptyInARow = hasBytes ? 0 : emptyInARow + 1;
      if (tooLong || emptyInARow > 1) return this.#sink.onStuck();
      if (!hasBytes) await this.#backend.pause(PAUSE_MS, signal);
      await this.#sink.beforeReconnect();
    }
  }

  /** Resolves when the connection has ended. If it received data, the next one may be opened at once. */
  #consume(body: Readable): Promise<{ hasBytes: boolean; tooLong: boolean }> {
    return new Promise((resolve) => {
      let hasBytes = false;
      let tooLong = false;
      let parts: Buffer[] = [];
      let length = 0;
      const giveUp = (): void => {
        tooLong = true;
        body.destroy();
      };
      const decoder = new TextDecoder();
      const parser = createParser({
        maxBufferSize: MAX_EVENT_CHARS,
        onEvent: ({ event, data }) => {
          if (body.destroyed) return;
          if (event === DATA_EVENT) {
            const part = Buffer.from(data, 'base64');
            parts.push(part);
            length += part.length;
            if (length > MAX_RUN_BYTES) giveUp();
          }
          if (event !== CONTROL_EVENT) return;
          const control = parseControlEvent(data);
          if (!control) return;
          const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
          parts = [];
          length = 0;
          if (this.#take(control, bytes)) hasBytes ||= bytes.length > 0;
          else body.destroy();
        },
        onError: (error) => {
          if (error.type === 'max-buffer-size-exceeded') giveUp();
        },
      });
      body
        .on('data', (chunk: Buffer) => {
          this.#sink.onAlive();
          parser.feed(decoder.decode(chunk, { stream: true }));
        })
        .on('close', () => resolve({ hasBytes, tooLong }));
    });
  }

  /** Returns false if the connection does not continue after the last one, or has sent everything. */
  #take(control: ControlEvent, bytes: Buffer): boolean {
    const { streamNextOffset: next, streamClosed, upToDate = false } = control;
    this.#cursor = control.streamCursor ?? this.#cursor;
    // Offsets increase as text: if it is lower, or the same although bytes arrived, the bytes were received before.
    if (next < this.#offset || (next === this.#offset && bytes.length > 0)) return false;
    this.#offset = next;
    if (streamClosed) {
      this.#closed = true;
      this.#sink.onClosed(bytes, next);
      return false;
    }
    if (bytes.length > 0) this.#sink.onBytes(bytes, next, upToDate);
    return true;
  }
}
