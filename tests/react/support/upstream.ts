import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';

/** A request that reached the upstream, and its response, which the test writes. */
export class Exchange {
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
  readonly #response: ServerResponse;
  /** Resolves when either side has closed the connection. */
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

  /** Sends each object as an SSE event. */
  send(...events: object[]): this {
    for (const event of events) this.#response.write(`data: ${JSON.stringify(event)}\n\n`);
    return this;
  }

  raw(text: string): this {
    this.#response.write(text);
    return this;
  }

  /** Sends `[DONE]` and ends the response. */
  done(): void {
    this.#response.end('data: [DONE]\n\n');
  }

  end(text?: string): void {
    this.#response.end(text);
  }

  /** Closes the connection without ending the response. */
  destroy(): void {
    this.#response.destroy();
  }
}

/** The server of a model. The test writes each response. */
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

  /** Resolves with the next request that was not returned yet. */
  next(): Promise<Exchange> {
    const there = this.exchanges[this.#taken];
    if (there) {
      this.#taken++;
      return Promise.resolve(there);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Removes all requests, and closes all connections. */
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
