import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export type RequestHeaders = Readonly<Record<string, string | readonly string[]>>;

export interface RequestInit {
  readonly method?: string;
  readonly headers?: RequestHeaders;
  readonly body?: string | Uint8Array;
  /** Cancels the request, or the response if it has started. */
  readonly signal?: AbortSignal;
}

/** A response as it was received: neither decoded nor redirected. */
export class TestResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly message: IncomingMessage;
  #bytes: Promise<Buffer> | undefined;

  constructor(message: IncomingMessage) {
    this.status = message.statusCode ?? 0;
    this.headers = message.headers;
    this.message = message;
  }

  /** Returns a header (case-insensitive). Repeated fields are joined by commas. */
  header(name: string): string | undefined {
    const value = this.headers[name.toLowerCase()];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** Returns the whole body. Rejects if the connection closes before its end. */
  bytes(): Promise<Buffer> {
    return (this.#bytes ??= quiet(collect(this.message)));
  }

  async text(): Promise<string> {
    return (await this.bytes()).toString('utf8');
  }
}

async function collect(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/**
 * Returns the same promise and handles its rejection. A failed test does not wait for its other requests, and an
 * unhandled rejection would end the process.
 */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/**
 * Sends the requests of the suite with node:http, because fetch normalizes requests that a test sends deliberately
 * malformed, and hides details of responses (repeated headers, encodings, the end of a body).
 */
export class HttpClient {
  readonly #agents = {
    'http:': new HttpAgent({ keepAlive: true }),
    'https:': new HttpsAgent({ keepAlive: true }),
  };
  readonly #sockets = new Set<Socket>();

  send(url: string | URL, init: RequestInit = {}): Promise<TestResponse> {
    const target = new URL(url);
    const secure = target.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const options = {
        method: init.method ?? 'GET',
        headers: init.headers as Record<string, string | string[]> | undefined,
        signal: init.signal,
      };
      const outgoing = secure
        ? httpsRequest(target, { ...options, agent: this.#agents['https:'] })
        : httpRequest(target, { ...options, agent: this.#agents['http:'] });
      outgoing.on('error', reject);
      outgoing.once('response', (message) => {
        // Later failures are reported by reading the body, if a test reads it.
        message.on('error', () => undefined);
        resolve(new TestResponse(message));
      });
      // With a string body, node:http writes the headers in the encoding of the body, which changes bytes outside
      // ASCII.
      outgoing.end(init.body === undefined ? undefined : Buffer.from(init.body as Uint8Array));
    });
  }

  /**
   * Writes raw bytes to the server's socket and returns the received bytes, until `enough` returns true or the
   * connection ends.
   */
  raw(url: string | URL, bytes: string | Uint8Array, enough: (text: string) => boolean): Promise<string> {
    const socket = this.#connect(url, (connected) => connected.write(bytes));
    return new Promise((resolve) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        if (enough(text)) socket.destroy();
      });
      socket.once('close', () => resolve(text));
    });
  }

  /** Writes raw bytes and closes the connection without waiting for a response. */
  cutOff(url: string | URL, bytes: string | Uint8Array): Promise<void> {
    const socket = this.#connect(url, (connected) => connected.write(bytes, () => connected.destroy()));
    return new Promise((resolve) => void socket.once('close', () => resolve()));
  }

  #connect(url: string | URL, onConnected: (socket: Socket) => void): Socket {
    const target = new URL(url);
    const secure = target.protocol === 'https:';
    const host = target.hostname.replace(/^\[(.*)\]$/, '$1');
    const port = Number(target.port) || (secure ? 443 : 80);
    const socket = secure ? connectTls({ host, port, servername: host }) : connectPlain({ host, port });
    this.#sockets.add(socket);
    socket.once(secure ? 'secureConnect' : 'connect', () => onConnected(socket));
    // A reset is expected; `close` follows it.
    socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  /** Closes all connections. */
  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }
}
