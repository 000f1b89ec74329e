import assert from 'node:assert/strict';
import { STREAM_CLOSED, STREAM_NEXT_OFFSET, STREAM_UP_TO_DATE } from '../protocol/headers.ts';
import {
  ACTION,
  ACTION_ABORT,
  EVENTS,
  EVENTS_COMPACT,
  LIVE,
  LIVE_LONG_POLL,
  LIVE_SSE,
  OFFSET,
  OFFSET_START,
} from '../protocol/query.ts';
import { expectStatus } from './expect.ts';
import { quiet, type TestResponse, type RequestHeaders, type RequestInit } from './http-client.ts';
import { SseReader } from './sse-reader.ts';

export type Params = Readonly<Record<string, string>>;

/** Result of a series of reads. */
export interface Gathered {
  readonly bytes: Buffer;
  /** Offset of the next read. */
  readonly offset: string;
  /** The last response. */
  readonly last: TestResponse;
}

/** Sends the requests of a stream. `TestTools` implements it. */
export interface StreamSender {
  /** URL of the mount, without a trailing slash. */
  readonly base: string;
  send(url: URL, init: RequestInit): Promise<TestResponse>;
  /** Sends a request with the service secret. */
  service(url: string, init: RequestInit): Promise<TestResponse>;
}

/** A stream under test, identified by its signed URL. */
export class Stream {
  readonly id: string;
  /** Absolute signed URL. */
  readonly url: URL;
  readonly #sender: StreamSender;

  constructor(sender: StreamSender, location: string) {
    this.#sender = sender;
    this.url = new URL(location, sender.base);
    this.id = this.url.pathname.split('/').at(-1) ?? '';
  }

  /** Returns the signed URL with parameters added or replaced. */
  at(params: Params): URL {
    const url = new URL(this.url);
    for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
    return url;
  }

  read(params: Params = {}, headers: RequestHeaders = {}): Promise<TestResponse> {
    return this.#sender.send(this.at(params), { headers });
  }

  poll(offset: string, params: Params = {}): Promise<TestResponse> {
    return this.read({ [OFFSET]: offset, [LIVE]: LIVE_LONG_POLL, ...params });
  }

  live(offset: string = OFFSET_START, params: Params = {}): Promise<SseReader> {
    return quiet(this.#live(offset, params));
  }

  async #live(offset: string, params: Params): Promise<SseReader> {
    const response = await this.read({ [OFFSET]: offset, [LIVE]: LIVE_SSE, ...params });
    await expectStatus(response, 200);
    return new SseReader(response, params[EVENTS] === EVENTS_COMPACT);
  }

  /** Sends catch-up reads until the tail. */
  catchUp(offset: string = OFFSET_START): Promise<Gathered> {
    return quiet(this.#gather({}, offset, (last) => last.header(STREAM_UP_TO_DATE) === 'true'));
  }

  /** Sends long-polls until this number of bytes has arrived. */
  until(count: number): Promise<Gathered> {
    const enough = (last: TestResponse, size: number): boolean => {
      assert.ok(size >= count || last.header(STREAM_CLOSED) === undefined, `closed after ${size} bytes`);
      return size >= count;
    };
    return quiet(this.#gather({ [LIVE]: LIVE_LONG_POLL }, OFFSET_START, enough));
  }

  /** Sends long-polls until the stream is closed. */
  closed(): Promise<Gathered> {
    const isClosed = (last: TestResponse) => last.header(STREAM_CLOSED) === 'true';
    return quiet(this.#gather({ [LIVE]: LIVE_LONG_POLL }, OFFSET_START, isClosed));
  }

  async #gather(
    params: Params,
    from: string,
    enough: (last: TestResponse, size: number) => boolean,
  ): Promise<Gathered> {
    let bytes = Buffer.alloc(0);
    let offset = from;
    for (;;) {
      const last = await this.read({ ...params, [OFFSET]: offset });
      if (last.status !== 204) await expectStatus(last, 200);
      bytes = Buffer.concat([bytes, await last.bytes()]);
      offset = last.header(STREAM_NEXT_OFFSET) ?? assert.fail(`a response without ${STREAM_NEXT_OFFSET}`);
      if (enough(last, bytes.length)) return { bytes, offset, last };
    }
  }

  head(): Promise<TestResponse> {
    return this.#sender.service(this.id, { method: 'HEAD' });
  }

  abort(): Promise<TestResponse> {
    return this.#sender.send(this.at({ [ACTION]: ACTION_ABORT }), { method: 'PATCH' });
  }

  remove(): Promise<TestResponse> {
    return this.#sender.service(this.id, { method: 'DELETE' });
  }
}
