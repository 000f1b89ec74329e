import { createHash } from 'node:crypto';
import type { StoredEvents, UpstreamEvent } from './types.ts';

/** Maximum number of stored events after the last one that names a position. With more, the stream is not continued. */
const MAX_TRAILING = 10_000;

export interface Position {
  /** The position of the last stored event that has one; undefined if none has. */
  readonly id: string | undefined;
  /** Returns true for an event of the new response that is stored already. See `ResumeRequest.isRepeated`. */
  readonly isRepeated: (event: UpstreamEvent) => boolean;
}

/**
 * Finds the last position in stored events whose positions are opaque.
 *
 * A server may continue after the position, with the position, or from its first event, and events without a position
 * belong to the event before them. So an event counts as repeated if it equals a stored one in id, type and data. The
 * id alone is not enough: some servers use one id for several events (langgraph issue 8112).
 *
 * @param positionOf returns the position that an event names, or undefined.
 * @returns undefined if too many events without a position are stored after the last one with a position.
 */
export async function lastPosition(
  events: StoredEvents,
  positionOf: (event: UpstreamEvent) => string | undefined,
): Promise<Position | undefined> {
  /** The last event with a position and those after it, newest first. */
  const tail: string[] = [];
  let id: string | undefined;
  for await (const event of events.fromEnd()) {
    tail.push(digest(event));
    id = positionOf(event);
    if (id !== undefined) break;
    if (tail.length > MAX_TRAILING) return undefined;
  }
  let first: string | undefined;
  for await (const event of events.fromStart()) {
    first = digest(event);
    break;
  }
  return { id, isRepeated: repeats(first, tail.reverse(), id !== undefined) };
}

/** @param hasPosition true if the first event of `tail` names the position. Otherwise `tail` contains all events. */
function repeats(first: string | undefined, tail: readonly string[], hasPosition: boolean) {
  let index = -1;
  /** Index in `tail` from which the next repeated event is searched. */
  let next = 0;
  /** The server began again: everything up to the position is repeated. */
  let restarted = false;
  return (event: UpstreamEvent): boolean => {
    const seen = digest(event);
    index += 1;
    if (index === 0 && hasPosition && seen === first && seen !== tail[0]) restarted = true;
    if (restarted) {
      if (seen !== tail[0]) return true;
      restarted = false;
      next = 1;
      return true;
    }
    // Servers do not repeat events that belong to one connection, such as pings, so some events of `tail` may be
    // missing.
    const at = tail.indexOf(seen, next);
    if (at < 0) return false;
    next = at + 1;
    return true;
  };
}

function digest({ id, type, data }: UpstreamEvent): string {
  return createHash('sha256')
    .update(JSON.stringify([id, type]))
    .update(data)
    .digest('base64');
}
