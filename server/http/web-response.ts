import { EventEmitter } from 'node:events';
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { WebRequest } from './web-request.ts';

/** Buffered bytes above which `write` returns false, like Node's `highWaterMark`. */
const HIGH_WATER_BYTES = 65_536;

/** Statuses whose responses cannot have a body (Fetch, section 2.2.3). */
const WITHOUT_BODY = new Set([204, 205, 304]);

/**
 * Status of a response that is never sent, because the client has disconnected or the response was destroyed before
 * it began.
 */
const CLIENT_CLOSED = 499;

/**
 * Adapts a `Response` to the parts of `ServerResponse` that the handlers use.
 *
 * The body produces a chunk only when the server pulls one, and has no queue of its own. Therefore `drain`, `close`
 * and `writableLength` reflect what the client has received, as with a socket.
 */
export class WebResponse extends EventEmitter {
  readonly req: WebRequest;
  readonly socket = null;
  /** Resolves with the response once its status and headers are known. Never rejects. */
  readonly response: Promise<Response>;
  statusCode = 200;
  headersSent = false;
  writableEnded = false;
  destroyed = false;
  /** Bytes that the client has not received yet. */
  writableLength = 0;
  readonly #headers = new Headers();
  readonly #waiting: Uint8Array<ArrayBuffer>[] = [];
  #resolve!: (response: Response) => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** True while the server waits for a chunk. */
  #isWanted = false;
  #needsDrain = false;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(req: WebRequest) {
    super();
    this.req = req;
    this.response = new Promise((resolve) => (this.#resolve = resolve));
    const { signal } = req.request;
    if (signal.aborted) this.#leave();
    else signal.addEventListener('abort', this.#leave, { once: true });
  }

  /** This object with the type that the middleware expects. */
  get outgoing(): ServerResponse {
    return this as unknown as ServerResponse;
  }

  getHeader(name: string): string | undefined {
    return this.#headers.get(name) ?? undefined;
  }

  setHeader(name: string, value: number | string | readonly string[]): this {
    this.#headers.delete(name);
    for (const each of [value].flat()) this.#headers.append(name, String(each));
    return this;
  }

  /** @throws TypeError for a header that HTTP cannot carry. */
  writeHead(status: number, headers: OutgoingHttpHeaders = {}): this {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) this.setHeader(name, value);
    this.statusCode = status;
    this.headersSent = true;
    const hasBody = this.req.method !== 'HEAD' && !WITHOUT_BODY.has(status);
    // `Response` does not accept a status above 599, which an upstream may send.
    const init = { status: status > 599 ? 502 : status, headers: this.#headers };
    this.#resolve(new Response(hasBody ? this.#body() : null, init));
    return this;
  }

  /** @returns false if the caller should wait for `drain`. */
  write(data: string | Uint8Array, encoding?: BufferEncoding): boolean {
    if (this.destroyed || this.writableEnded || data.length === 0) return true;
    if (!this.headersSent) this.writeHead(this.statusCode);
    if (!this.#controller) return true;
    this.#idleTimer?.refresh();
    const bytes = ownBytes(data, encoding);
    if (this.#isWanted) {
      this.#isWanted = false;
      this.#controller.enqueue(bytes);
      return true;
    }
    this.#waiting.push(bytes);
    this.writableLength += bytes.length;
    this.#needsDrain ||= this.writableLength >= HIGH_WATER_BYTES;
    return !this.#needsDrain;
  }

  end(data?: string | Uint8Array): this {
    if (this.destroyed || this.writableEnded) return this;
    if (data === undefined && !this.headersSent) this.writeHead(this.statusCode);
    if (data !== undefined) this.write(data);
    this.writableEnded = true;
    if (this.writableLength === 0) this.#finish();
    return this;
  }

  /** Aborts the response: its body fails, so no client treats it as complete. */
  destroy(): this {
    if (!this.destroyed) this.#controller?.error(new Error('The proxy aborted the response'));
    this.#leave();
    return this;
  }

  /** Calls `onIdle` when no bytes were written or received by the client for `ms` milliseconds. */
  setTimeout(ms: number, onIdle: () => void): this {
    clearTimeout(this.#idleTimer);
    if (!this.destroyed) this.#idleTimer = setTimeout(onIdle, ms).unref();
    return this;
  }

  #body(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#controller = controller),
        pull: () => this.#pull(),
        cancel: () => this.#leave(),
      },
      // With 0, `pull` is called for each read and not ahead of a read.
      { highWaterMark: 0 },
    );
  }

  #pull(): void {
    this.#idleTimer?.refresh();
    const bytes = this.#waiting.shift();
    if (!bytes) {
      this.#isWanted = true;
      return;
    }
    this.#controller!.enqueue(bytes);
    this.writableLength -= bytes.length;
    if (this.writableLength > 0) return;
    if (this.writableEnded) this.#finish();
    else if (this.#needsDrain) {
      this.#needsDrain = false;
      this.emit('drain');
    }
  }

  #finish(): void {
    this.#controller?.close();
    this.#close();
  }

  /** Runs when the client disconnects, however the framework signals it. */
  readonly #leave = (): void => {
    if (!this.headersSent) this.#resolve(new Response(null, { status: CLIENT_CLOSED }));
    this.#waiting.length = 0;
    this.writableLength = 0;
    // No more bytes of the upload will arrive, as when a socket closes.
    this.req.destroy();
    this.#close();
  };

  #close(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    clearTimeout(this.#idleTimer);
    this.req.request.signal.removeEventListener('abort', this.#leave);
    // Deferred until the handler has attached its listeners, as with a socket.
    process.nextTick(() => this.emit('close'));
  }
}

/**
 * Copies the bytes into a separate buffer: a server may transfer the chunk, which would detach a shared pool or a frame
 * of the store.
 */
function ownBytes(data: string | Uint8Array, encoding: BufferEncoding = 'utf8'): Uint8Array<ArrayBuffer> {
  if (typeof data !== 'string') return new Uint8Array(data);
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(data, encoding));
  bytes.write(data, encoding);
  return bytes;
}
