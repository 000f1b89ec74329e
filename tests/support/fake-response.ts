import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A response whose `drain` and `close` come when the test says so, and which fails as Node's does on misuse. */
export class FakeResponse extends EventEmitter {
  readonly req = { httpVersionMajor: 1, headers: {} } as Partial<IncomingMessage> as IncomingMessage;
  readonly socket = null;
  status: number | undefined;
  headers: Record<string, unknown> = {};
  readonly written: string[] = [];
  /** Writes after the end or after the connection broke. */
  readonly faults: string[] = [];
  /** False: writes fill the buffer of the socket, as if the client read nothing. */
  accepts = true;
  headersSent = false;
  writableEnded = false;
  destroyed = false;
  onTimeout: (() => void) | undefined;

  get response(): ServerResponse {
    return this as unknown as ServerResponse;
  }

  get text(): string {
    return this.written.join('');
  }

  get writableLength(): number {
    return this.accepts ? 0 : this.text.length;
  }

  writeHead(status: number, headers: Record<string, unknown>): this {
    if (this.headersSent) throw new Error('ERR_HTTP_HEADERS_SENT');
    this.headersSent = true;
    this.status = status;
    this.headers = headers;
    return this;
  }

  write(text: string | Uint8Array): boolean {
    if (this.writableEnded) this.#fail('ERR_STREAM_WRITE_AFTER_END');
    else if (this.destroyed) this.#fail('ERR_STREAM_DESTROYED');
    else this.written.push(Buffer.from(text as Uint8Array).toString('latin1'));
    return this.accepts;
  }

  end(text?: string | Uint8Array): this {
    if (text !== undefined) this.write(text);
    this.writableEnded = true;
    return this;
  }

  destroy(): this {
    this.destroyed = true;
    return this;
  }

  setTimeout(_ms: number, onTimeout: () => void): this {
    this.onTimeout = onTimeout;
    return this;
  }

  /** The client reads everything. */
  drain(): void {
    this.accepts = true;
    this.emit('drain');
  }

  #fail(code: string): void {
    this.faults.push(code);
    this.emit('error', new Error(code));
  }

  /** The connection is closed. */
  close(): void {
    this.destroyed = true;
    this.emit('close');
  }
}
