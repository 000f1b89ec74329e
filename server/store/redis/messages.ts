import { randomBytes } from 'node:crypto';
import type { StreamEnd, StreamInit } from '../types.ts';

/** Characters of an epoch: 12 random bytes as base64url. */
export const EPOCH_LENGTH = 16;

/** Returns a unique name, for a stream under an id or for a store. */
export function newEpoch(): string {
  return randomBytes((EPOCH_LENGTH / 4) * 3).toString('base64url');
}

const POSITION_AT = 1 + EPOCH_LENGTH;
const REST_AT = POSITION_AT + 16;
const END_LENGTH = 8;

/**
 * Messages from the scripts to the followers of a stream. A message begins with a letter for its kind. If its form
 * changes, it gets a new letter, and processes that do not know the letter poll the stream. `epoch` identifies the
 * stream among all that are created under its id.
 */
export type Message =
  | {
      readonly kind: 'data';
      readonly epoch: string;
      readonly start: number;
      readonly bytes: Buffer;
      readonly end?: StreamEnd;
    }
  /** The metadata have changed. `notes` are all lines that were added so far. */
  | { readonly kind: 'notes'; readonly epoch: string; readonly notes: string }
  /** There are more bytes than a message should carry. */
  | { readonly kind: 'more'; readonly epoch: string }
  | { readonly kind: 'gone'; readonly epoch: string };

/**
 * Parses a message: a letter for its kind, the epoch, a position of 16 digits, then the bytes. A close has the length
 * of its JSON (8 digits) and the JSON before them. Returns undefined for messages of another version or of other
 * senders: followers then poll. Never throws, because it runs within the client's parser.
 */
export function parseMessage(message: Buffer): Message | undefined {
  const kind = message.toString('latin1', 0, 1);
  const epoch = message.toString('latin1', 1, POSITION_AT);
  const start = digits(message, POSITION_AT, REST_AT);
  if (start === undefined) return undefined;
  switch (kind) {
    case 'd':
      return { kind: 'data', epoch, start, bytes: message.subarray(REST_AT) };
    case 'e':
      return parseClosing(message, epoch, start);
    case 'n':
      return { kind: 'notes', epoch, notes: message.toString('utf8', REST_AT) };
    case 'm':
      return { kind: 'more', epoch };
    case 'g':
      return { kind: 'gone', epoch };
    default:
      return undefined;
  }
}

function parseClosing(message: Buffer, epoch: string, start: number): Message | undefined {
  const jsonAt = REST_AT + END_LENGTH;
  const length = digits(message, REST_AT, jsonAt);
  if (length === undefined) return undefined;
  const bytesAt = jsonAt + length;
  try {
    const end = parseEnd(message.toString('utf8', jsonAt, bytesAt));
    return { kind: 'data', epoch, start, bytes: message.subarray(bytesAt), end };
  } catch {
    return undefined;
  }
}

function digits(message: Buffer, from: number, to: number): number | undefined {
  const text = message.toString('latin1', from, to);
  return text.length === to - from && /^\d+$/.test(text) ? Number(text) : undefined;
}

/**
 * Returns the metadata with the added entries: lines of JSON. A later entry replaces an earlier one of the same name.
 */
export function withNotes(metadata: StreamInit['metadata'], notes: string): StreamInit['metadata'] {
  // Most streams have none. Parsing an empty line would create an exception each time.
  const lines = notes.split('\n').filter((line) => line !== '');
  return lines.reduce((all, line) => ({ ...all, ...parseNote(line) }), metadata);
}

function parseNote(line: string): StreamInit['metadata'] | undefined {
  try {
    return JSON.parse(line) as StreamInit['metadata'];
  } catch {
    return undefined;
  }
}

export function parseEnd(json: string): StreamEnd {
  return JSON.parse(json) as StreamEnd;
}
