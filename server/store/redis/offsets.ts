import { OFFSET_START } from '../../../protocol/query.ts';
import { StoreError, type Offset } from '../types.ts';

/** A byte position as text. 16 digits hold every safe integer, and keep the order of numbers as text. */
export function formatOffset(position: number): Offset {
  return String(position).padStart(16, '0');
}

/** @throws StoreError `INVALID_OFFSET` for what no store of this kind gave out. */
export function parseOffset(offset: Offset): number {
  if (offset === OFFSET_START) return 0;
  const position = /^\d{16}$/.test(offset) ? Number(offset) : NaN;
  if (!Number.isSafeInteger(position)) throw invalidOffset();
  return position;
}

export function invalidOffset(): StoreError {
  return new StoreError('INVALID_OFFSET', 'This offset is none of the stream');
}
