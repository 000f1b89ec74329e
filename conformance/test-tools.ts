import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { UPSTREAM_METHOD, UPSTREAM_URL } from '../protocol/headers.ts';
import { expectStatus } from './expect.ts';
import { createFeed, type Feed, type FeedOptions } from './feed.ts';
import { HttpClient, quiet, type TestResponse, type RequestInit } from './http-client.ts';
import type { Script, StandIn, Upstream } from './stand-in.ts';
import { Stream } from './stream.ts';
import type { SignUrl } from './types.ts';

export interface Environment {
  /** URL of the mount, without a trailing slash. */
  readonly base: string;
  readonly secret: string;
  readonly standIn: StandIn;
  readonly signUrl?: SignUrl;
}

export interface CreateInit {
  /** Method of the upstream request. Default: POST. */
  readonly method?: string;
  /** Headers of the request. A header that is undefined is omitted, even a default one. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: string | Uint8Array;
  /** Credential to use instead of the secret. */
  readonly token?: string;
  readonly signal?: AbortSignal;
}

/** Thrown by `skip`. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

/** Tools of one test: the server under test and upstreams. Everything that a test creates is cleaned up afterwards. */
export class TestTools {
  readonly base: string;
  readonly secret: string;
  /** Aborts at the time limit of the test. */
  readonly signal: AbortSignal;
  readonly #environment: Environment;
  readonly #client = new HttpClient();
  readonly #ids = new Set<string>();
  readonly #paths: (() => void)[] = [];

  constructor(environment: Environment, signal: AbortSignal) {
    this.base = environment.base;
    this.secret = environment.secret;
    this.signal = signal;
    // Tests send up to fifty concurrent requests.
    setMaxListeners(0, signal);
    this.#environment = environment;
  }

  /** Skips this test, for a reason that is known only at run time. */
  skip(reason: string): never {
    throw new Skipped(reason);
  }

  /** Adds an upstream that runs the script. */
  upstream(script: Script, suffix = ''): Upstream {
    const upstream = this.#environment.standIn.add(script, suffix);
    this.#paths.push(() => upstream.remove());
    return upstream;
  }

  /** Adds an upstream that responds at once with a whole body. */
  reply(
    body: string | Uint8Array,
    { status = 200, headers = {}, contentType = 'text/event-stream' }: Omit<FeedOptions, 'held'> = {},
  ): Upstream {
    return this.upstream(({ res }) => {
      res.writeHead(status, { ...(contentType !== null && { 'Content-Type': contentType }), ...headers });
      res.end(body);
    });
  }

  /** Adds an upstream that the test controls step by step. */
  feed(options: FeedOptions = {}): Feed {
    const { script, controls } = createFeed(options);
    return controls(this.upstream(script));
  }

  /** Sends a request without adding headers. A relative URL is relative to the mount. */
  send(url: string | URL, init: RequestInit = {}): Promise<TestResponse> {
    const target = url instanceof URL ? url : url === '' ? this.base : `${this.base}/${url}`;
    const signal = init.signal ? AbortSignal.any([this.signal, init.signal]) : this.signal;
    return quiet(this.#client.send(target, { ...init, signal }));
  }

  /** Sends raw bytes on a separate connection. */
  raw(bytes: string | Uint8Array, enough: (text: string) => boolean = () => false): Promise<string> {
    return this.#client.raw(this.base, bytes, enough);
  }

  /** Sends raw bytes and closes the connection when they are written. */
  cutOff(bytes: string | Uint8Array): Promise<void> {
    return this.#client.cutOff(this.base, bytes);
  }

  /** Waits for some round trips, so that the server has noticed connections that were closed before. */
  async roundTrips(): Promise<void> {
    for (let i = 0; i < 3; i += 1) await (await this.send('')).bytes();
  }

  /** Sends a request with the service secret. */
  service(url: string | URL, init: RequestInit = {}): Promise<TestResponse> {
    return this.send(url, { ...init, headers: { Authorization: `Bearer ${this.secret}`, ...init.headers } });
  }

  /** Sends POST {base}, whatever the response. */
  create(upstream: Upstream | string, init: CreateInit = {}): Promise<TestResponse> {
    return quiet(this.#create(upstream, init));
  }

  async #create(upstream: Upstream | string, init: CreateInit): Promise<TestResponse> {
    const { method = 'POST', token = this.secret, headers = {}, body, signal } = init;
    const all = {
      Authorization: `Bearer ${token}`,
      [UPSTREAM_URL]: typeof upstream === 'string' ? upstream : upstream.url,
      [UPSTREAM_METHOD]: method,
      ...headers,
    };
    const response = await this.send('', {
      method: 'POST',
      headers: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)),
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
    });
    if (response.header('location') !== undefined) this.#ids.add(this.streamOf(response).id);
    return response;
  }

  /** Sends POST {base}, which must create a stream. */
  start(upstream: Upstream | string, init: CreateInit = {}): Promise<Stream> {
    return quiet(this.#start(upstream, init));
  }

  async #start(upstream: Upstream | string, init: CreateInit): Promise<Stream> {
    const response = await this.create(upstream, init);
    await expectStatus(response, 201);
    return this.streamOf(response);
  }

  /** Returns the stream in the Location header of a response. */
  streamOf(response: TestResponse): Stream {
    const location = response.header('location');
    assert.ok(location !== undefined, 'the response has no Location');
    return new Stream(this, location);
  }

  /** Returns a signed URL that only an operator can create. */
  async signed(stream: Stream, options: { expiresInSeconds: number; scope?: 'read' }): Promise<URL> {
    const { signUrl } = this.#environment;
    if (!signUrl) this.skip('only the operator can create such a URL: pass `signUrl` to the suite');
    const basePath = new URL(this.base).pathname;
    return new URL(await signUrl({ streamId: stream.id, basePath, ...options }), this.base);
  }

  /** Deletes the streams of the test and closes its connections. */
  async dispose(limit: AbortSignal): Promise<void> {
    for (const remove of this.#paths) remove();
    this.#client.close();
    const cleaner = new HttpClient();
    const headers = { Authorization: `Bearer ${this.secret}` };
    const remove = (id: string) =>
      cleaner.send(`${this.base}/${id}`, { method: 'DELETE', headers, signal: limit });
    // Failures are ignored: streams expire, and the tests of DELETE report the fault.
    await Promise.allSettled([...this.#ids].map(remove));
    cleaner.close();
  }
}
