import type { PausableRead } from './client-memory.ts';

/** A stop without a response after this many milliseconds may be queued after reads of the same origin. */
const QUEUED_MS = 500;
/** Longest pause of a read, in milliseconds. */
const MAX_PAUSE_MS = 5_000;

/**
 * Frees connections for a stop, because browsers open six to one origin over HTTP/1.1: closes that of its own read at
 * once, and those of all other reads after 500 ms.
 * @returns a function that lets the reads continue. They continue after 5 seconds in any case.
 */
export function freeConnection(own: PausableRead, reads: Iterable<PausableRead>): () => void {
  let resume!: () => void;
  const until = new Promise<void>((resolve) => (resume = resolve));
  own.pause(until);
  const pausing = setTimeout(() => {
    for (const read of reads) if (read !== own) read.pause(until);
  }, QUEUED_MS);
  const ending = setTimeout(resume, MAX_PAUSE_MS);
  return () => {
    clearTimeout(pausing);
    clearTimeout(ending);
    resume();
  };
}
