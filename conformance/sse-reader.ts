import assert from 'node:assert/strict';
import { createParser } from 'eventsource-parser';
import {
  BASE64_EVENT,
  CONTROL_EVENT,
  DATA_EVENT,
  parseControlEvent,
  type ControlEvent,
} from '../protocol/control.ts';
import { STREAM_SSE_DATA_ENCODING } from '../protocol/headers.ts';
import type { TestResponse } from './http-client.ts';

export type SseEvent =
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | {
      readonly kind: 'compact';
      readonly bytes: Buffer;
      readonly isText: boolean;
      /** Offset after the bytes. */
      readonly id: string;
    }
  | {
      readonly kind: 'control';
      readonly control: ControlEvent;
      readonly json: Record<string, unknown>;
      readonly id: string | undefined;
    }
  | { readonly kind: 'comment'; readonly text: string };

/** Reads an SSE response event by event. */
export class SseReader {
  readonly response: TestResponse;
  /** Bytes of the stream in all events so far. */
  bytes = Buffer.alloc(0);
  /** The last control event so far. */
  control: ControlEvent | undefined;
  readonly #isCompact: boolean;
  readonly #events: AsyncGenerator<SseEvent>;

  /** @param isCompact true if the request asked for compact events. */
  constructor(response: TestResponse, isCompact = false) {
    this.response = response;
    this.#isCompact = isCompact;
    this.#events = this.#read();
  }

  /** Returns the next event, or undefined at the proper end of the response. Rejects if the connection was cut. */
  async next(): Promise<SseEvent | undefined> {
    const result: IteratorResult<SseEvent, unknown> = await this.#events.next();
    if (result.done) return undefined;
    const event = result.value;
    if ('bytes' in event) this.bytes = Buffer.concat([this.bytes, event.bytes]);
    if (event.kind === 'control') this.control = event.control;
    return event;
  }

  /** Returns the next event that is not a comment. */
  async nextReal(): Promise<Exclude<SseEvent, { kind: 'comment' }> | undefined> {
    for (;;) {
      const event = await this.next();
      if (event?.kind !== 'comment') return event;
    }
  }

  /** Reads until this number of bytes has arrived, and the control event after them. */
  async until(count: number): Promise<ControlEvent> {
    while (this.bytes.length < count) {
      const event = await this.nextReal();
      assert.ok(event, `the live read ended after ${this.bytes.length} of ${count} bytes`);
    }
    const control = await this.nextReal();
    assert.equal(control?.kind, 'control', 'a data event is not followed by a control event');
    return control.control;
  }

  /**
   * Reads to the end of the response.
   * @returns all control events that were read.
   */
  async toEnd(): Promise<ControlEvent[]> {
    const controls: ControlEvent[] = [];
    for (;;) {
      const event = await this.nextReal();
      if (!event) return controls;
      if (event.kind === 'control') controls.push(event.control);
    }
  }

  /** Disconnects. */
  close(): void {
    this.response.message.destroy();
  }

  async *#read(): AsyncGenerator<SseEvent> {
    const ready: SseEvent[] = [];
    const parser = createParser({
      onEvent: ({ event, data, id }) => void ready.push(this.#eventOf(event, data, id)),
      onComment: (text) => void ready.push({ kind: 'comment', text }),
    });
    const decoder = new TextDecoder();
    for await (const chunk of this.response.message) {
      parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
      yield* ready.splice(0);
    }
  }

  #eventOf(name: string | undefined, data: string, id: string | undefined): SseEvent {
    if (this.#isCompact && name !== CONTROL_EVENT) {
      assert.ok(name === undefined || name === BASE64_EVENT, `a compact read holds an event called ${name}`);
      assert.ok(id, 'a compact event has no id');
      const isText = name === undefined;
      return { kind: 'compact', bytes: Buffer.from(data, isText ? 'utf8' : 'base64'), isText, id };
    }
    if (name === DATA_EVENT) {
      const base64 = this.response.header(STREAM_SSE_DATA_ENCODING) === 'base64';
      const bytes = base64 ? Buffer.from(data.replace(/[\r\n]/g, ''), 'base64') : Buffer.from(data);
      return { kind: 'data', bytes };
    }
    assert.equal(name, CONTROL_EVENT, `a live read contains an event called ${name}`);
    const control = parseControlEvent(data);
    assert.ok(control, `a control event contains ${data}`);
    return { kind: 'control', control, json: JSON.parse(data) as Record<string, unknown>, id };
  }
}
