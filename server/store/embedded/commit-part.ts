import type { StoreError, StreamEnd, StreamInit } from '../types.ts';
import type { Piece } from './chunks.ts';

/** A caller that waits for a write. */
export interface Waiter<T> {
  resolve(value: T): void;
  reject(error: StoreError): void;
}

export interface Append extends Waiter<void> {
  readonly bytes: Uint8Array;
}

/** Entries for the metadata. */
export interface Note extends Waiter<void> {
  readonly entries: Readonly<Record<string, string>>;
}

export interface Closing {
  readonly end: StreamEnd;
  readonly last: Uint8Array;
  readonly waiters: Waiter<StreamEnd>[];
}

/** The part of a commit that belongs to one stream. */
export interface CommitPart {
  readonly appends: readonly Append[];
  readonly notes: readonly Note[];
  readonly closing: Closing | undefined;
  readonly pieces: readonly Piece[];
  readonly expiresAt: number;
  readonly erases: boolean;
}

/** Returns the properties of a new stream, with the metadata entries that were added since. */
export const withNotes = (init: StreamInit, notes: readonly Note[]): StreamInit => {
  if (notes.length === 0) return init;
  const metadata = notes.reduce((all, { entries }) => ({ ...all, ...entries }), init.metadata);
  return { ...init, metadata };
};

/** Returns the position after the last piece. */
export const endOf = (pieces: readonly Piece[], otherwise: number): number => {
  const last = pieces.at(-1);
  return last ? last.start + last.bytes.length : otherwise;
};
