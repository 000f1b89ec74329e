import type { UpstreamHead } from '../protocol/control.ts';
import { headOf } from './head.ts';
import type { Mutable } from './mutable.ts';
import { createPartParser, type StreamPart } from './sse-parts.ts';

/** A connection that lasted this many milliseconds does not count as a failed attempt, even if no byte arrived. */
const HELD_MS = 5_000;

/** Reads one connection to a stream, part by part. */
export interface PartReader {
  /** Status and headers of the upstream's response. Undefined if a part contains them, or if they are not known yet. */
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
export function readSse(
  response: Response,
  heartbeatMs: number,
  release?: (response: Response) => void,
): PartReader {
  const reader = response.body!.getReader();
  const openedAt = Date.now();
  const parts: StreamPart[] = [];
  let isHeard = false;
  /** Only a wait for the server counts as silence: a reader that pauses receives nothing either. */
  let waitsSince: number | undefined;
  let isSilent = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const parse = createPartParser(response.headers, (part) => {
    const { bytes, control } = part;
    // A control event without data adds to what is known about the current offset.
    const last = bytes.length ? undefined : parts.pop();
    // A connection that is cut while the upstream has not responded is not a failed attempt either.
    partReader.isAlive ||= !!bytes.length || !!control.upstreamState;
    // Keeps a head that came without data.
    parts.push(last ? { ...last, control: { ...last.control, ...control } } : part);
  });

  const close = () => {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
    release?.(response);
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
      // If the clock was set back, the silence begins now.
      waitsSince = Math.min(waitsSince, Date.now());
      const silentMs = Date.now() - waitsSince;
      if (silentMs < heartbeatMs) watch(heartbeatMs - silentMs);
      else expire();
    }, ms);
  };

  const partReader: Mutable<PartReader> = {
    head: headOf(response.headers),
    async next() {
      while (!parts[0]) {
        waitsSince = Date.now();
        if (!timer) watch(heartbeatMs);
        const { done, value } = await reader.read();
        waitsSince = undefined;
        if (isSilent) throw new Error('The connection was silent');
        if (done) return undefined;
        isHeard = true;
        partReader.isAlive ||= Date.now() - openedAt >= HELD_MS;
        parse(value);
      }
      return parts.shift();
    },
    isAlive: false,
    isMute: false,
    check() {
      if (waitsSince && Date.now() - waitsSince > heartbeatMs / 2) expire();
    },
    close,
  };
  return partReader;
}
