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

/**
 * First line of every SSE read. Indicates the encoding of `data` if an intermediary removes `Stream-SSE-Data-Encoding`.
 */
export const OPENING = ': base64\n\n';

const CONTROL_HEAD = `event: ${CONTROL_EVENT}\ndata: `;
const DATA_HEAD = `event: ${DATA_EVENT}\ndata: `;

/**
 * Returns a control event, which follows every data event and contains the reader's position. The whole response is
 * ASCII, which sockets write without conversion.
 */
export function controlEvent(
  { next, upToDate, end }: Pick<Frame, 'next' | 'upToDate' | 'end'>,
  cursor: string,
): string {
  // Not `JSON.stringify`, because this runs for every frame. Only `next`, a string of the store, needs escaping.
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

/** Returns the control event of a stream whose upstream's head is pending, or has just become known. */
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

/**
 * Number of encoded frames that are cached (a power of two): as many as one write holds, because the readers of a tail
 * follow each other closely.
 */
const KNOWN_FRAMES = 16;

interface Encoded {
  readonly frame: Frame;
  readonly cursor: string;
  readonly upToDate: boolean;
  readonly text: string;
}

/**
 * Encodes frames as SSE. The followers of a stream get the same frames one after the other, so the encoder caches the
 * last ones for all readers.
 */
export class SseEncoder {
  readonly #known: Encoded[] = [];
  #next = 0;

  /**
   * @param upToDate true if no bytes follow the frame now. `frame.upToDate` refers to the time when the frame was
   * created.
   */
  encode(frame: Frame, cursor: string, upToDate: boolean): string {
    // Starts with the newest frame: usually the previous reader has just encoded it.
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

/**
 * Encodes bytes as a data event. Only base64 is exact in SSE: text can contain neither CR nor an incomplete character.
 */
function dataEvent(bytes: Uint8Array): string {
  if (bytes.length === 0) return '';
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return `${DATA_HEAD}${base64}\n\n`;
}
