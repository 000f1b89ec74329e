import { isUtf8 } from 'node:buffer';
import {
  BASE64_EVENT,
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
const BASE64_HEAD = `event: ${BASE64_EVENT}\ndata: `;

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
    ...(head ? { upstreamHead: headField(head) } : { upstreamState: PENDING }),
  };
  return `${CONTROL_HEAD}${asciiJson(JSON.stringify(event))}\nid: ${next}\n\n`;
}

function headField({ status, contentType, headers }: StoredHead): UpstreamHead {
  return {
    status,
    ...(contentType !== '' && { contentType }),
    headers: JSON.parse(headers) as UpstreamHead['headers'],
  };
}

/**
 * Number of encoded frames that are cached (a power of two): as many as one write contains, because the readers of a
 * tail are close to each other.
 */
const KNOWN_FRAMES = 16;
/** Stands for the cursor of compact events, which have none, so that all readers share them. */
const NO_CURSOR = '';

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
   * Encodes a frame as a data event and a control event.
   * @param upToDate true if no bytes follow the frame now. `frame.upToDate` refers to the time when the frame was
   * created.
   */
  encode(frame: Frame, cursor: string, upToDate: boolean): string {
    const known = this.#find(frame, cursor, upToDate);
    if (known !== undefined) return known;
    const control = controlEvent(
      { next: frame.next, upToDate, ...(frame.end && { end: frame.end }) },
      cursor,
    );
    return this.#keep({ frame, cursor, upToDate, text: dataEvent(frame.bytes) + control });
  }

  /** Encodes a frame as a compact event, and as a control event if it ends the stream. */
  encodeCompact(frame: Frame): string {
    const known = this.#find(frame, NO_CURSOR, true);
    if (known !== undefined) return known;
    const end = frame.end ? controlEvent(frame, NO_CURSOR) : '';
    return this.#keep({
      frame,
      cursor: NO_CURSOR,
      upToDate: true,
      text: compactEvent(frame) + end,
    });
  }

  #find(frame: Frame, cursor: string, upToDate: boolean): string | undefined {
    // Starts with the newest frame: usually the previous reader has just encoded it.
    for (let back = 1; back <= KNOWN_FRAMES; back += 1) {
      const known = this.#known[(this.#next - back) & (KNOWN_FRAMES - 1)];
      if (known?.frame === frame && known.cursor === cursor && known.upToDate === upToDate) return known.text;
    }
    return undefined;
  }

  #keep(encoded: Encoded): string {
    this.#known[this.#next] = encoded;
    this.#next = (this.#next + 1) & (KNOWN_FRAMES - 1);
    return encoded.text;
  }
}

/**
 * Encodes bytes as a data event. Only base64 is exact in SSE: text can contain neither CR nor an incomplete character.
 */
function dataEvent(bytes: Uint8Array): string {
  if (bytes.length === 0) return '';
  return `${DATA_HEAD}${bufferOf(bytes).toString('base64')}\n\n`;
}

/**
 * Encodes the bytes of a frame as a compact event: as text if that is exact and not longer than base64. Every
 * character of the text is one byte of its UTF-8 form, as sockets write it.
 */
function compactEvent({ bytes, next }: Pick<Frame, 'bytes' | 'next'>): string {
  if (bytes.length === 0) return '';
  const buffer = bufferOf(bytes);
  const tail = `\nid: ${next}\n\n`;
  const text = buffer.toString('latin1');
  // Each LF begins another `data` field. A CR would be read as an LF.
  if (!text.includes('\r') && isUtf8(buffer)) {
    const data = `data: ${text.replaceAll('\n', '\ndata: ')}`;
    if (data.length <= BASE64_HEAD.length + Math.ceil(bytes.length / 3) * 4) return data + tail;
  }
  return `${BASE64_HEAD}${buffer.toString('base64')}${tail}`;
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
