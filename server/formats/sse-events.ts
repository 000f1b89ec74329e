/** Maximum bytes of one event. Longer events are skipped, so that an endless line cannot fill the memory. */
export const MAX_EVENT_BYTES = 4_194_304;

/**
 * One event of a `text/event-stream`. Both strings contain one byte per character (latin1): most events are only
 * searched for ASCII, which needs no decoding. `parseData` decodes.
 */
export interface SseEvent {
  /** Value of the `event` field, '' if there is none. */
  readonly name: string;
  /** Value of the `data` fields, undefined if the event was longer than `MAX_EVENT_BYTES`. */
  readonly data: string | undefined;
}

/**
 * Splits bytes into server-sent events (WHATWG HTML, section 9.2.6): LF, CR LF and CR end a line, a byte order mark is
 * removed, and an event without its empty line does not count. Chunks may be split anywhere.
 *
 * `eventsource-parser` is not used: it takes decoded text and buffers a CR at the end of a chunk until more arrives,
 * so an answer that ends in a CR would lose its last event.
 */
export class SseEvents {
  readonly #onEvent: (event: SseEvent) => void;
  #line = '';
  #name = '';
  #data: string | undefined;
  /** Bytes of the current event so far. */
  #size = 0;
  #isTooLong = false;
  /** The last chunk ended in a CR, so an LF at the beginning of the next one belongs to it. */
  #skipLf = false;
  #isFirstLine = true;

  constructor(onEvent: (event: SseEvent) => void) {
    this.#onEvent = onEvent;
  }

  /**
   * @param notable events whose bytes, read as latin1, do not match may be skipped. Must not match across lines.
   */
  push(chunk: Uint8Array, notable?: RegExp): void {
    if (chunk.length === 0) return;
    const bytes = chunk instanceof Buffer ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const text = bytes.toString('latin1');
    if (notable && this.#isBetweenEvents && endsWithEvent(text) && !notable.test(text)) {
      this.#isFirstLine = false;
      return;
    }
    let at = this.#skipLf && text.startsWith('\n') ? 1 : 0;
    this.#skipLf = text.endsWith('\r');
    let cr = text.indexOf('\r', at);
    let lf = text.indexOf('\n', at);
    while (cr !== -1 || lf !== -1) {
      const isCr = cr !== -1 && (lf === -1 || cr < lf);
      const end = isCr ? cr : lf;
      this.#endLine(text, at, end);
      at = isCr && lf === end + 1 ? end + 2 : end + 1;
      if (lf !== -1 && lf < at) lf = text.indexOf('\n', at);
      if (cr !== -1 && cr < at) cr = text.indexOf('\r', at);
    }
    if (at < text.length) this.#keep(text, at, text.length);
  }

  /** The data of an incomplete event, as far as it has arrived. */
  get partialData(): string {
    const line = this.#line.startsWith('data:') ? valueOf(this.#line, 5) : '';
    return this.#data === undefined ? line : this.#data;
  }

  get #isBetweenEvents(): boolean {
    return this.#size === 0 && !this.#skipLf;
  }

  #endLine(text: string, from: number, to: number): void {
    if (from === to && this.#line === '') {
      this.#isFirstLine = false;
      return this.#dispatch();
    }
    this.#keep(text, from, to);
    const line = this.#line;
    this.#line = '';
    if (this.#isFirstLine) {
      this.#isFirstLine = false;
      // The byte order mark, one character for each of its bytes.
      if (line.startsWith('\u00ef\u00bb\u00bf')) return this.#endLine(line, 3, line.length);
    }
    if (line.startsWith('data:')) this.#addData(valueOf(line, 5));
    else if (line.startsWith('event:')) this.#name = valueOf(line, 6);
    // A field without a colon has an empty value.
    else if (line === 'data') this.#addData('');
    else if (line === 'event') this.#name = '';
  }

  #keep(text: string, from: number, to: number): void {
    this.#size += to - from;
    if (this.#isTooLong) return void (this.#line = '-');
    if (this.#size > MAX_EVENT_BYTES) {
      this.#isTooLong = true;
      // Not empty, because an empty line would end the event.
      this.#line = '-';
      this.#data = undefined;
      return;
    }
    const part = text.slice(from, to);
    this.#line = this.#line === '' ? part : this.#line + part;
  }

  #addData(value: string): void {
    this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
  }

  #dispatch(): void {
    const [name, data, isTooLong] = [this.#name, this.#data, this.#isTooLong];
    this.#reset();
    if (data !== undefined || isTooLong) this.#onEvent({ name, data });
  }

  #reset(): void {
    this.#name = '';
    this.#data = undefined;
    this.#size = 0;
    this.#isTooLong = false;
  }
}

/**
 * Returns true if the text ends with a complete event. May return false for such a text, and does so above
 * `MAX_EVENT_BYTES`.
 */
function endsWithEvent(text: string): boolean {
  return (text.endsWith('\n\n') || text.endsWith('\n\r\n')) && text.length <= MAX_EVENT_BYTES;
}

/** Returns the value of a field from the character after its colon, without one leading space. */
function valueOf(line: string, from: number): string {
  return line.slice(line.charCodeAt(from) === 0x20 ? from + 1 : from);
}

/** Decodes and parses the data of an event. Returns undefined unless it is a JSON object. */
export function parseData(data: string): Readonly<Record<string, unknown>> | undefined {
  if (!data.startsWith('{')) return undefined;
  try {
    return JSON.parse(Buffer.from(data, 'latin1').toString('utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
