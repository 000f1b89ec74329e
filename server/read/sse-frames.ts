import {
  CONTROL_EVENT,
  DATA_EVENT,
  PENDING,
  type ControlEvent,
  type UpstreamHead,
} from '../../protocol/control.ts';
import { asciiJson } from '../shared/ascii.ts';
import type { Frame } from '../store/types.ts';
import type { UpstreamHead as StoredHead } from '../store/upstream-head.ts';

export const KEEP_ALIVE = ':\n\n';

/** First line of every SSE read: names the encoding of `data` where an intermediary strips `Stream-SSE-Data-Encoding`. */
export const OPENING = ': base64\n\n';

const CONTROL_HEAD = `event: ${CONTROL_EVENT}\ndata: `;
const DATA_HEAD = `event: ${DATA_EVENT}\ndata: `;

/**
 * A control event, which follows every data event and says where the reader is now. It is ASCII, as all of an
 * answer is: such text goes to a socket as it is.
 */
export function controlEvent(
  { next, upToDate, end }: Pick<Frame, 'next' | 'upToDate' | 'end'>,
  cursor: string,
): string {
  // By hand what is done for every frame; `next` is any store's text, a cursor is ours.
  if (!end) {
    const rest = upToDate ? `"${cursor}","upToDate":true}` : `"${cursor}"}`;
    return `${CONTROL_HEAD}{"streamNextOffset":${JSON.stringify(next)},"streamCursor":${rest}\nid: ${next}\n\n`;
  }
  const event: ControlEvent = {
    streamNextOffset: next,
    ...(upToDate && { upToDate: true }),
    streamClosed: true,
    upstreamOutcome: end.outcome,
    ...(end.error && { upstreamError: end.error }),
    ...(end.usage && { upstreamUsage: end.usage }),
  };
  return `${CONTROL_HEAD}${asciiJson(JSON.stringify(event))}\nid: ${next}\n\n`;
}

/** The control event of a stream without the head of the upstream's response, or of one whose head is known now. */
export function upstreamEvent(
  { next, upToDate }: Pick<Frame, 'next' | 'upToDate'>,
  cursor: string,
  head: StoredHead | undefined,
): string {
  const event: ControlEvent = {
    streamNextOffset: next,
    streamCursor: cursor,
    ...(upToDate && { upToDate: true }),
    ...(head ? { upstreamHead: toldHead(head) } : { upstreamState: PENDING }),
  };
  return `${CONTROL_HEAD}${asciiJson(JSON.stringify(event))}\nid: ${next}\n\n`;
}

function toldHead({ status, contentType, headers }: StoredHead): UpstreamHead {
  return {
    status,
    ...(contentType !== '' && { contentType }),
    headers: JSON.parse(headers) as UpstreamHead['headers'],
  };
}

/** Frames that an encoder remembers (a power of two): what one write holds, since readers of a tail come in turn. */
const KNOWN_FRAMES = 16;

interface Encoded {
  readonly frame: Frame;
  readonly cursor: string;
  readonly upToDate: boolean;
  readonly text: string;
}

/**
 * Frames as SSE. Followers of a stream are given the same frames, one follower after the other: the last ones
 * are remembered, so that all readers share one encoding.
 */
export class SseEncoder {
  readonly #known: Encoded[] = [];
  #next = 0;

  /** @param upToDate whether nothing comes behind the frame now; its own word is of when it was made. */
  encode(frame: Frame, cursor: string, upToDate: boolean): string {
    // The newest first: as a rule the reader before has just had it.
    for (let back = 1; back <= KNOWN_FRAMES; back += 1) {
      const known = this.#known[(this.#next - back) & (KNOWN_FRAMES - 1)];
      if (known?.frame === frame && known.cursor === cursor && known.upToDate === upToDate) return known.text;
    }
    const control = controlEvent(
      { next: frame.next, upToDate, ...(frame.end && { end: frame.end }) },
      cursor,
    );
    const text = dataEvent(frame.bytes) + control;
    this.#known[this.#next] = { frame, cursor, upToDate, text };
    this.#next = (this.#next + 1) & (KNOWN_FRAMES - 1);
    return text;
  }
}

/** Base64 is the one encoding in which SSE is exact: a text frame can carry neither CR nor half a character. */
function dataEvent(bytes: Uint8Array): string {
  if (bytes.length === 0) return '';
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return `${DATA_HEAD}${base64}\n\n`;
}
