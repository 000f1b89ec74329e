import { OFFSET_NOW } from '../../../protocol/query.ts';
import { invalidOffset } from '../shared/errors.ts';
import type { OffsetArithmetic } from '../shared/frames.ts';
import type { Offset } from '../types.ts';

/** Positions inside one response of the backend: `{offset of the response}!{bytes after it}`. */
const INNER = /^(.+)!(\d{1,12})$/;
/** Text that the base protocol allows as an offset. Clients may send any of it. */
const OFFSET_TEXT = /^[!-~]{1,255}$/;
const NOT_IN_OFFSETS = /[,&=?/]/;

/** An offset of the backend, and a number of bytes after it. */
export interface Place {
  readonly base: string;
  readonly skip: number;
}

/**
 * Parses an offset. Readers receive the backend's offsets unchanged. Only the backend knows its boundaries, though, and
 * it may return more bytes than a reader requests. An offset within a response is therefore the response's offset and
 * the number of bytes after it ("!" sorts before every character that may continue a longer offset).
 * @throws StoreError `INVALID_OFFSET` for text that cannot be an offset. The backend checks the rest.
 */
export function parseOffset(offset: Offset): Place {
  if (!OFFSET_TEXT.test(offset) || NOT_IN_OFFSETS.test(offset) || offset === OFFSET_NOW) {
    throw invalidOffset();
  }
  const inner = INNER.exec(offset);
  return inner ? { base: inner[1]!, skip: Number(inner[2]) } : { base: offset, skip: 0 };
}

/** Twelve digits, so that offsets sort as text in streams of up to a terabyte. */
export function formatOffset({ base, skip }: Place): Offset {
  return skip === 0 ? base : `${base}!${String(skip).padStart(12, '0')}`;
}

/** Arithmetic of the backend's offsets. The distance between two of them is known within one response only. */
export const PLACES: OffsetArithmetic = {
  after: (offset, bytes) => {
    const { base, skip } = parseOffset(offset);
    return formatOffset({ base, skip: skip + bytes });
  },
  between: (from, to) => {
    const [a, b] = [parseOffset(from), parseOffset(to)];
    return a.base === b.base ? b.skip - a.skip : undefined;
  },
};
