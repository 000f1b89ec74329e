import {
  CONTROL_EVENT,
  DATA_EVENT,
  parseControlEvent,
  type ControlEvent,
  type UpstreamHead,
} from '../protocol/control.ts';
import { STREAM_SSE_DATA_ENCODING } from '../protocol/headers.ts';
import { headOf } from './head.ts';
import { createSseParser } from './sse-lines.ts';

/** A connection that was alive this long, in milliseconds, was no failed attempt, even if no byte came. */
const HELD_MS = 5_000;

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes, and the place behind them. */
export interface Frame {
  readonly bytes: Bytes;
  readonly control: ControlEvent;
}

/** One connection to a stream, pulled frame by frame. */
export interface SseReader {
  /** What the headers said about the upstream's response; undefined if it is not known. */
  readonly head: UpstreamHead | undefined;
  /**
   * The next frame; undefined when the server ended the connection.
   * @throws whatever cut the connection, or told that it is dead.
   */
  next(): Promise<Frame | undefined>;
  /** True if it received data or has to wait for the upstream, or lasted long enough not to count as a failed attempt. */
  wasAlive(): boolean;
  /** True if not one byte arrived before the connection counted as dead. */
  wasMute(): boolean;
  /** After the page slept: a connection that has missed a keep-alive is not waited for any longer. */
  check(): void;
  close(): void;
}

/**
 * Reads a response as SSE.
 * @param heartbeatMs milliseconds of silence after which the connection counts as dead.
 * @param release called when the reader is closed.
 */
export function readSse({ headers, body }: Response, heartbeatMs: number, release?: () => void): SseReader {
  const reader = body!.getReader();
  const decoder = new TextDecoder();
  let isBase64 = headers.get(STREAM_SSE_DATA_ENCODING) === 'base64';
  const openedAt = Date.now();
  const frames: Frame[] = [];
  // Data is held until its control event: only together are they exact.
  let data = '';
  let lastAt = openedAt;
  let isMute = true;
  let hasData = false;
  /** Only a wait for the server counts as silence: a reader who pauses hears nothing either. */
  let waitsSince: number | undefined;
  let isSilent = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const parse = createSseParser({
    // Servers in between may remove the header. The comment is the first line of the stream (SSE-14).
    onComment(comment) {
      isBase64 ||= comment === 'base64';
    },
    onEvent(name, text) {
      // `atob` ignores the line ends that a server may put in.
      if (name === DATA_EVENT) data += isBase64 ? atob(text) : text;
      const control = name === CONTROL_EVENT && parseControlEvent(text);
      if (!control) return;
      // A control event without data says more of the place behind the last bytes.
      const last = data ? undefined : frames.pop();
      // A connection that is cut while the upstream has not responded is not a failed attempt either.
      hasData ||= !!data || !!control.upstreamState;
      frames.push({
        bytes: last?.bytes ?? (isBase64 ? fromBinary(data) : new TextEncoder().encode(data)),
        // A head that came without data must not get lost.
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
    close();
  };
  /** One timer for many waits: it costs more than a wait does. */
  const watch = (ms: number) => {
    timer = setTimeout(() => {
      timer = undefined;
      if (!waitsSince) return;
      const left = waitsSince + heartbeatMs - Date.now();
      if (left > 0) watch(left);
      else expire();
    }, ms);
  };

  return {
    head: headOf(headers),
    async next() {
      while (frames.length === 0) {
        waitsSince = Date.now();
        if (!timer) watch(heartbeatMs);
        const { done, value } = await reader.read();
        waitsSince = undefined;
        if (isSilent) throw new Error('The connection was silent');
        if (done) return undefined;
        lastAt = Date.now();
        isMute = false;
        parse(decoder.decode(value, { stream: true }));
      }
      return frames.shift();
    },
    wasAlive: () => hasData || lastAt - openedAt >= HELD_MS,
    wasMute: () => isMute && isSilent,
    check() {
      if (waitsSince && Date.now() - lastAt > heartbeatMs / 2) expire();
    },
    close,
  };
}

function fromBinary(text: string): Bytes {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
