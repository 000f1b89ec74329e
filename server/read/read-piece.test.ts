import { expect, it } from 'vitest';
import type { Frame, StreamStore } from '../store/types.ts';
import { readPiece } from './read-piece.ts';

const BYTES = Buffer.from('0123456789');

/** A store whose reads return as few bytes as permitted. */
const miser = {
  read: async (_id: string, offset: string, maxBytes: number): Promise<Frame> => {
    expect(maxBytes).toBeGreaterThan(0);
    const at = Math.max(0, Number(offset));
    const upToDate = at + 1 >= BYTES.length;
    const frame = {
      bytes: BYTES.subarray(at, at + 1),
      next: String(Math.min(at + 1, BYTES.length)),
      upToDate,
    };
    return upToDate ? { ...frame, end: { outcome: 'complete' } } : frame;
  },
} as Pick<StreamStore, 'read'> as StreamStore;

it('[READ-11] returns everything up to the tail, with the state of the last frame', async () => {
  const { bytes, ...rest } = await readPiece(miser, 'id', '-1', 100);
  expect(Buffer.from(bytes).toString()).toBe('0123456789');
  expect(rest).toEqual({ next: '10', upToDate: true, end: { outcome: 'complete' } });
  expect(await readPiece(miser, 'id', '10', 100)).toMatchObject({ next: '10', upToDate: true });
});

it('[READ-11] returns at most maxBytes, and then neither up to date nor the end', async () => {
  const { bytes, ...rest } = await readPiece(miser, 'id', '2', 5);
  expect(Buffer.from(bytes).toString()).toBe('23456');
  expect(rest).toEqual({ next: '7', upToDate: false });
});
