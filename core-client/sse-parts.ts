import {
  BASE64_EVENT,
  CONTROL_EVENT,
  DATA_EVENT,
  parseControlEvent,
  type ControlEvent,
} from '../protocol/control.ts';
import { STREAM_SSE_DATA_ENCODING } from '../protocol/headers.ts';
import { createSseParser } from './sse-lines.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a stream, and the control event after them. A compact event has only the offset after its bytes. */
export interface StreamPart {
  readonly bytes: Bytes;
  readonly control: ControlEvent;
}

/**
 * Creates a parser for SSE reads: of compact events, and of data events and the control events after them.
 * @param headers of the response.
 * @param onPart called for each compact event and each control event. Without data, `bytes` is empty.
 * @returns a function that takes the next bytes of the response, split anywhere.
 */
export function createPartParser(
  headers: Headers,
  onPart: (part: StreamPart) => void,
): (chunk: Uint8Array) => void {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let isBase64 = headers.get(STREAM_SSE_DATA_ENCODING) === 'base64';
  // Data is held until its control event, which has the offset after it.
  let data = '';
  const parse = createSseParser(
    (name, text, id) => {
      const isCompact = id && (!name || name === BASE64_EVENT);
      const isBinary = isCompact ? name : isBase64;
      // `atob` ignores line ends, which servers may insert.
      if (isCompact || name === DATA_EVENT) data += isBinary ? atob(text) : text;
      const control = isCompact
        ? { streamNextOffset: id }
        : name === CONTROL_EVENT && parseControlEvent(text);
      if (!control) return;
      onPart({ bytes: isBinary ? fromBinary(data) : encoder.encode(data), control });
      data = '';
    },
    // Intermediaries may remove the header. The comment is the first line of the stream (SSE-14).
    (comment) => {
      isBase64 ||= comment === 'base64';
    },
  );
  return (chunk) => parse(decoder.decode(chunk, { stream: true }));
}

function fromBinary(text: string): Bytes {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
