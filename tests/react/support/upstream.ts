import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';

/** One request that reached the upstream, and the answer to it, written by the test. */
export class Exchange {
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
  readonly #response: ServerResponse;
  /** Resolves when the connection is gone, by whoever's hand. */
  readonly closed: Promise<void>;

  constructor(headers: IncomingHttpHeaders, body: Record<string, unknown>, response: ServerResponse) {
    this.headers = headers;
    this.body = body;
    this.#response = response;
    this.closed = once(response, 'close').then(() => undefined);
  }

  begin(contentType = 'text/event-stream', status = 200, headers: Record<string, string> = {}): this {
    this.#response.writeHead(status, { 'content-type': contentType, ...headers });
    this.#response.flushHeaders();
    return this;
  }

  /** SSE events, one each. */
  send(...events: object[]): this {
    for (const event of events) this.#response.write(`data: ${JSON.stringify(event)}\n\n`);
    return this;
  }

  raw(text: string): this {
    this.#response.write(text);
    return this;
  }

  /** `[DONE]` and the end. */
  done(): void {
    this.#response.end('data: [DONE]\n\n');
  }

  end(text?: string): void {
    this.#response.end(text);
  }

  /** The end that is none. */
  destroy(): void {
    this.#response.destroy();
  }
}

/** A model's server: the test answers each request by hand. */
export class Upstream {
  readonly exchanges: Exchange[] = [];
  readonly #server: Server;
  readonly #waiting: ((exchange: Exchange) => void)[] = [];
  #taken = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const body = text ? (JSON.parse(text) as Record<string, unknown>) : {};
        const exchange = new Exchange(request.headers, body, response);
        this.exchanges.push(exchange);
        const waiting = this.#waiting.shift();
        if (waiting) {
          this.#taken++;
          waiting(exchange);
        }
      });
    });
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api/chat`;
  }

  /** The next request that was not asked for yet. */
  next(): Promise<Exchange> {
    const there = this.exchanges[this.#taken];
    if (there) {
      this.#taken++;
      return Promise.resolve(there);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Forgets what was asked, and drops what is still being answered. */
  reset(): void {
    this.#server.closeAllConnections();
    this.exchanges.length = 0;
    this.#waiting.length = 0;
    this.#taken = 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, 'close');
  }
}
