import {
  CONTROL_EVENT,
  DATA_EVENT,
  parseControlEvent,
  type ControlEvent,
  type UpstreamHead,
} from '../protocol/control.ts';
import { STREAM_SSE_DATA_ENCODING } from '../protocol/headers.ts';
import { headOf } from './head.ts';
import type { Mutable } from './mutable.ts';
import { createSseParser } from './sse-lines.ts';

/** A connection that lasted this many milliseconds does not count as a failed attempt, even if no byte arrived. */
const HELD_MS = 5_000;

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a stream, and the control event after them. */
export interface StreamPart {
  readonly bytes: Bytes;
  readonly control: ControlEvent;
}

/** Reads one connection to a stream, part by part. */
export interface PartReader {
  /** Status and headers of the upstream's response. Undefined if the response does not contain them. */
  readonly head: UpstreamHead | undefined;
  /**
   * Returns the next part, or undefined if the server ended the connection.
   * @throws the error that ended the connection.
   */
  next(): Promise<StreamPart | undefined>;
  /**
   * True if the connection does not count as a failed attempt: it received data, reported that the upstream has not
   * responded, or lasted for 5 seconds.
   */
  readonly isAlive: boolean;
  /** True if no byte arrived before the connection counted as dead. */
  readonly isMute: boolean;
  /** Closes the connection if it has missed a keep-alive. Called after the page slept. */
  check(): void;
  close(): void;
}

/**
 * Reads a response as SSE.
 * @param heartbeatMs milliseconds of silence after which the connection counts as dead.
 * @param release called when the reader is closed.
 */
export function readSse({ headers, body }: Response, heartbeatMs: number, release?: () => void): PartReader {
  const reader = body!.getReader();
  const decoder = new TextDecoder();
  let isBase64 = headers.get(STREAM_SSE_DATA_ENCODING) === 'base64';
  const openedAt = Date.now();
  const parts: StreamPart[] = [];
  // Data is held until its control event, which has the offset after it.
  let data = '';
  let lastAt = openedAt;
  let isHeard = false;
  /** Only a wait for the server counts as silence: a reader that pauses receives nothing either. */
  let waitsSince: number | undefined;
  let isSilent = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const parse = createSseParser({
    // Servers in between may remove the header. The comment is the first line of the stream (SSE-14).
    onComment(comment) {
      isBase64 ||= comment === 'base64';
    },
    onEvent(name, text) {
      // `atob` ignores line ends, which servers may insert.
      if (name === DATA_EVENT) data += isBase64 ? atob(text) : text;
      const control = name === CONTROL_EVENT && parseControlEvent(text);
      if (!control) return;
      // A control event without data adds to what is known about the current offset.
      const last = data ? undefined : parts.pop();
      // A connection that is cut while the upstream has not responded is not a failed attempt either.
      partReader.isAlive ||= !!data || !!control.upstreamState;
      parts.push({
        bytes: last?.bytes ?? (isBase64 ? fromBinary(data) : new TextEncoder().encode(data)),
        // Keeps a head that came without data.
        control: { ...last?.control, ...control },
      });
      data = '';
    },
  });

  const close = () => {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
    release?.();
  };
  const expire = () => {
    isSilent = true;
    partReader.isMute = !isHeard;
    close();
  };
  /** One timer for many waits: setting a timer costs more than a wait. */
  const watch = (ms: number) => {
    timer = setTimeout(() => {
      timer = undefined;
      if (!waitsSince) return;
      const left = waitsSince + heartbeatMs - Date.now();
      if (left > 0) watch(left);
      else expire();
    }, ms);
  };

  const partReader: Mutable<PartReader> = {
    head: headOf(headers),
    async next() {
      while (parts.length === 0) {
        waitsSince = Date.now();
        if (!timer) watch(heartbeatMs);
        const { done, value } = await reader.read();
        waitsSince = undefined;
        if (isSilent) throw new Error('The connection was silent');
        if (done) return undefined;
        lastAt = Date.now();
        isHeard = true;
        partReader.isAlive ||= lastAt - openedAt >= HELD_MS;
        parse(decoder.decode(value, { stream: true }));
      }
      return parts.shift();
    },
    isAlive: false,
    isMute: false,
    check() {
      if (waitsSince && Date.now() - lastAt > heartbeatMs / 2) expire();
    },
    close,
  };
  return partReader;
}

function fromBinary(text: string): Bytes {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
