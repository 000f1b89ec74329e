import { once } from 'node:events';
import {
  Agent,
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** A fault of a request. `forwarded`: the backend carries the request out, and only its response is lost. */
export type Fault =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly retryAfter?: string;
      readonly forwarded?: true;
    }
  | { readonly kind: 'reset'; readonly forwarded?: true }
  | { readonly kind: 'hang'; readonly forwarded?: true }
  /** The response body is cut after this many bytes; with `end`, it ends cleanly, as when a server rotates. */
  | { readonly kind: 'cut'; readonly bytes: number; readonly end?: true }
  /** The response head is sent, and then nothing. */
  | { readonly kind: 'stall' };

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

/** Returns the fault of a request. Undefined: none. */
export type Trouble = (seen: Seen) => Fault | undefined;

/** A small HTTP relay between a store and its backend that injects the faults of a test. */
export class Relay {
  readonly requests: Seen[] = [];
  /** Requests that hang, as functions that send them after all. */
  readonly held: (() => Promise<number>)[] = [];
  trouble: Trouble = () => undefined;
  /** Bytes of bodies that were forwarded to the store. */
  passed = 0;
  /** Responses that have not ended. */
  open = 0;
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #target: () => string;

  private constructor(target: () => string) {
    this.#target = target;
    this.#server = createServer((req, res) => {
      this.#serve(req, res).catch(() => res.destroy());
    });
  }

  static async start(target: () => string): Promise<Relay> {
    const relay = new Relay(target);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Injects a fault into the next request that matches, and into no other. */
  once(matches: (seen: Seen) => boolean, fault: Fault): { readonly hit: boolean } {
    let hit = false;
    this.trouble = (seen) => {
      if (hit || !matches(seen)) return undefined;
      hit = true;
      return fault;
    };
    return {
      get hit() {
        return hit;
      },
    };
  }

  count(matches: (seen: Seen) => boolean): number {
    return this.requests.filter(matches).length;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const seen: Seen = { method: req.method!, url: req.url!, headers: req.headers };
    this.requests.push(seen);
    this.open += 1;
    res.once('close', () => (this.open -= 1));
    const fault = this.trouble(seen);
    if (!fault || fault.kind === 'cut' || fault.kind === 'stall') return this.#pass(seen, body, res, fault);
    if (fault.forwarded) await this.#carryOut(seen, body);
    if (fault.kind === 'reset') res.socket?.resetAndDestroy();
    if (fault.kind === 'hang' && !fault.forwarded) this.held.push(() => this.#carryOut(seen, body));
    if (fault.kind !== 'answer') return;
    res.writeHead(fault.status, fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter });
    res.end('in trouble');
  }

  async #pass(seen: Seen, body: Buffer, res: ServerResponse, fault?: Fault): Promise<void> {
    const answer = await this.#forward(seen, body);
    res.once('close', () => answer.destroy());
    res.writeHead(answer.statusCode!, answer.headers);
    if (fault?.kind === 'stall') return res.flushHeaders();
    let left = fault?.kind === 'cut' ? fault.bytes : Number.POSITIVE_INFINITY;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const part = chunk.subarray(0, left);
      left -= part.length;
      this.passed += part.length;
      const flowing = await new Promise<boolean>((resolve) => {
        const more = res.write(part, () => left === 0 && resolve(more));
        if (left > 0) resolve(more);
      });
      if (left === 0) {
        if (fault?.kind === 'cut' && fault.end) break;
        // The bytes sent so far arrive; a reset could discard them.
        res.socket?.destroy();
        return;
      }
      if (!flowing) await once(res, 'drain');
    }
    res.end();
  }

  async #carryOut(seen: Seen, body: Buffer): Promise<number> {
    const answer = await this.#forward(seen, body);
    answer.resume();
    await once(answer, 'close');
    return answer.statusCode!;
  }

  #forward({ method, url, headers }: Seen, body: Buffer): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const forwarded = request(this.#target() + url, { method, headers, agent: this.#agent }, resolve);
      forwarded.once('error', reject).end(body);
    });
  }
}
