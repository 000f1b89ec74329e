import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { UPSTREAM_METHOD, UPSTREAM_URL } from '../protocol/headers.ts';
import { expectStatus } from './expect.ts';
import { createFeed, type Feed, type FeedOptions } from './feed.ts';
import { HttpClient, quiet, type Answer, type RequestInit } from './http-client.ts';
import type { Script, StandIn, Upstream } from './stand-in.ts';
import { Stream } from './stream.ts';
import type { SignUrl } from './types.ts';

export interface Environment {
  /** The mount, without a slash at its end. */
  readonly base: string;
  readonly secret: string;
  readonly standIn: StandIn;
  readonly signUrl?: SignUrl;
}

export interface CreateInit {
  /** What the upstream is called with. Default POST. */
  readonly method?: string;
  /** A header that is undefined is left out, such as a default one. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: string | Uint8Array;
  /** In place of the secret. */
  readonly token?: string;
  readonly signal?: AbortSignal;
}

/** Thrown by `skip`. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

/** What a test has in hand: the server under test, upstreams of its own, and nothing left behind afterwards. */
export class Context {
  readonly base: string;
  readonly secret: string;
  /** Aborts when the test's time is up. */
  readonly signal: AbortSignal;
  readonly #environment: Environment;
  readonly #client = new HttpClient();
  readonly #ids = new Set<string>();
  readonly #paths: (() => void)[] = [];

  constructor(environment: Environment, signal: AbortSignal) {
    this.base = environment.base;
    this.secret = environment.secret;
    this.signal = signal;
    // Fifty requests at a time are no leak.
    setMaxListeners(0, signal);
    this.#environment = environment;
  }

  /** Leaves this test out, for a reason that only it can find. */
  skip(reason: string): never {
    throw new Skipped(reason);
  }

  /** An upstream that does what the script says. */
  upstream(script: Script, suffix = ''): Upstream {
    const upstream = this.#environment.standIn.add(script, suffix);
    this.#paths.push(() => upstream.remove());
    return upstream;
  }

  /** An upstream that answers at once with a whole body. */
  reply(
    body: string | Uint8Array,
    { status = 200, headers = {}, contentType = 'text/event-stream' }: Omit<FeedOptions, 'held'> = {},
  ): Upstream {
    return this.upstream(({ res }) => {
      res.writeHead(status, { ...(contentType !== null && { 'Content-Type': contentType }), ...headers });
      res.end(body);
    });
  }

  /** An upstream that says what the test tells it to, when it tells it to. */
  feed(options: FeedOptions = {}): Feed {
    const { script, controls } = createFeed(options);
    return controls(this.upstream(script));
  }

  /** A request with nothing added. A relative URL is one below the mount. */
  send(url: string | URL, init: RequestInit = {}): Promise<Answer> {
    const target = url instanceof URL ? url : url === '' ? this.base : `${this.base}/${url}`;
    const signal = init.signal ? AbortSignal.any([this.signal, init.signal]) : this.signal;
    return quiet(this.#client.send(target, { ...init, signal }));
  }

  /** Bytes as they are, on a connection of their own. */
  raw(bytes: string | Uint8Array, enough: (text: string) => boolean = () => false): Promise<string> {
    return this.#client.raw(this.base, bytes, enough);
  }

  /** The same, hanging up when they are written. */
  cutOff(bytes: string | Uint8Array): Promise<void> {
    return this.#client.cutOff(this.base, bytes);
  }

  /** Some round trips: a connection that was closed before them is one that the server has seen closing. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i += 1) await (await this.send('')).bytes();
  }

  /** A request with the service secret. */
  service(url: string | URL, init: RequestInit = {}): Promise<Answer> {
    return this.send(url, { ...init, headers: { Authorization: `Bearer ${this.secret}`, ...init.headers } });
  }

  /** POST {base}, whatever comes of it. */
  create(upstream: Upstream | string, init: CreateInit = {}): Promise<Answer> {
    return quiet(this.#create(upstream, init));
  }

  async #create(upstream: Upstream | string, init: CreateInit): Promise<Answer> {
    const { method = 'POST', token = this.secret, headers = {}, body, signal } = init;
    const all = {
      Authorization: `Bearer ${token}`,
      [UPSTREAM_URL]: typeof upstream === 'string' ? upstream : upstream.url,
      [UPSTREAM_METHOD]: method,
      ...headers,
    };
    const answer = await this.send('', {
      method: 'POST',
      headers: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)),
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
    });
    if (answer.header('location') !== undefined) this.#ids.add(this.streamOf(answer).id);
    return answer;
  }

  /** POST {base}, which has to make a stream. */
  start(upstream: Upstream | string, init: CreateInit = {}): Promise<Stream> {
    return quiet(this.#start(upstream, init));
  }

  async #start(upstream: Upstream | string, init: CreateInit): Promise<Stream> {
    const answer = await this.create(upstream, init);
    await expectStatus(answer, 201);
    return this.streamOf(answer);
  }

  /** The stream that an answer hands over by its Location. */
  streamOf(answer: Answer): Stream {
    const location = answer.header('location');
    assert.ok(location !== undefined, 'the answer has no Location');
    return new Stream(this, location);
  }

  /** A signed URL that only an operator can make. */
  async signed(stream: Stream, options: { expiresInSeconds: number; scope?: 'read' }): Promise<URL> {
    const { signUrl } = this.#environment;
    if (!signUrl) this.skip('only the operator can make such a URL: give the suite `signUrl`');
    const basePath = new URL(this.base).pathname;
    return new URL(await signUrl({ streamId: stream.id, basePath, ...options }), this.base);
  }

  /** Deletes what the test made and cuts what it left open. */
  async dispose(limit: AbortSignal): Promise<void> {
    for (const remove of this.#paths) remove();
    this.#client.close();
    const cleaner = new HttpClient();
    const headers = { Authorization: `Bearer ${this.secret}` };
    const remove = (id: string) =>
      cleaner.send(`${this.base}/${id}`, { method: 'DELETE', headers, signal: limit });
    // What cannot be deleted expires by itself, and the tests of DELETE say so.
    await Promise.allSettled([...this.#ids].map(remove));
    cleaner.close();
  }
}
