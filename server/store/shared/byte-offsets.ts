import { OFFSET_START } from '../../../protocol/query.ts';
import type { Offset } from '../types.ts';
import { invalidOffset } from './errors.ts';
import type { OffsetArithmetic } from './frames.ts';

/** Digits of an offset: enough for every safe integer. */
const DIGITS = 16;

/** Returns a byte position as an offset: decimal and of fixed width, so that offsets sort as the positions do. */
export function formatOffset(position: number): Offset {
  return String(position).padStart(DIGITS, '0');
}

/**
 * Returns the byte position of an offset.
 *
 * @param tail largest position that the stream has. Default: not compared.
 * @throws StoreError `INVALID_OFFSET` if the offset is malformed or after `tail`.
 */
export function parseOffset(offset: Offset, tail = Number.MAX_SAFE_INTEGER): number {
  if (offset === OFFSET_START) return 0;
  const position = /^\d{16}$/.test(offset) ? Number(offset) : Number.POSITIVE_INFINITY;
  if (position > tail) throw invalidOffset();
  return position;
}

/** Arithmetic of offsets that are byte positions. */
export const BYTE_OFFSETS: OffsetArithmetic = {
  after: (offset, bytes) => formatOffset(parseOffset(offset) + bytes),
  between: (from, to) => parseOffset(to) - parseOffset(from),
};
