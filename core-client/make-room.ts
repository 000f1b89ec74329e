import type { Call, PausableRead } from './call.ts';

/** A stop without an answer after this many milliseconds may be queued behind reads of the same origin. */
const QUEUED_MS = 500;
/** Longest pause of a read, in milliseconds. */
const MAX_PAUSE_MS = 5_000;

/**
 * Gives up the connection of a read, and soon those of all others, so that a stop gets one: browsers open six to one
 * origin over HTTP/1.1.
 * @returns what lets the reads continue; they do after 5 seconds anyway.
 */
export function makeRoom(link: PausableRead, calls: Iterable<Pick<Call, 'link'>>): () => void {
  let resume: () => void;
  const until = new Promise<void>((resolve) => (resume = resolve));
  link.pause(until);
  const pausing = setTimeout(() => {
    for (const { link: other } of calls) if (other !== link) other?.pause(until);
  }, QUEUED_MS);
  const ending = setTimeout(() => resume(), MAX_PAUSE_MS);
  return () => {
    clearTimeout(pausing);
    clearTimeout(ending);
    resume();
  };
}
