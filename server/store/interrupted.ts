import type { StreamEnd } from './types.ts';

/** The end of a stream whose process died and that no other process continues. */
export const INTERRUPTED: StreamEnd = Object.freeze({
  outcome: 'interrupted',
  error: Object.freeze({ code: 'INTERRUPTED', message: 'The proxy that ran this answer stopped or crashed' }),
});
