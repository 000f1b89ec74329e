import { newerRecord } from '../record-version.ts';
import { toStoreError } from '../shared/errors.ts';
import { StoreError } from '../types.ts';

/** Temporary error replies: a failover, a start, a slow script, a cluster that moves slots. */
const PASSING = new Set([
  'READONLY',
  'LOADING',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'MOVED',
  'ASK',
  'BUSY',
  'NOREPLICAS',
]);

const ADVICE: Readonly<Record<string, string>> = {
  OOM: 'Redis is out of memory (maxmemory): give it more, or lower streamTtlSeconds',
  MISCONF: 'Redis cannot write its snapshot to disk and refuses writes (stop-writes-on-bgsave-error)',
  NOAUTH: 'Redis asks for a password: put it into the url, redis://user:password@host:6379',
  WRONGPASS: 'Redis refused the user or the password',
  NOPERM: 'the Redis user may not run what the store needs: scripts, streams, hashes, pub/sub',
  CROSSSLOT: 'the keys of a stream are in several slots: is there a proxy before the cluster?',
};

/** Returns the first word of an error reply; undefined for an error of the connection. */
export function replyCode(error: unknown): string | undefined {
  return error instanceof Error ? /^-?([A-Z]{2,}) /.exec(error.message)?.[1] : undefined;
}

/** Returns true if a retry of the same command may succeed: for errors of the connection and temporary replies. */
export function isPassing(error: unknown): boolean {
  const code = replyCode(error);
  return code === undefined || PASSING.has(code);
}

/**
 * Returns true for an error that only `CLIENT SETINFO` causes (before Redis 7.2), and none of our commands (see
 * `StrayReplyError`).
 */
export function isStray(error: unknown): error is Error {
  return error instanceof Error && /^ERR unknown (sub)?command\b/.test(error.message);
}

/** Returns an `UNAVAILABLE` error whose message says what to do. Error messages of Redis contain no credentials. */
export function unavailable(error: unknown): StoreError {
  const code = replyCode(error);
  const [, newer] = (code === 'NEWER' && /NEWER (\d+)/.exec((error as Error).message)) || [];
  if (newer) return newerRecord('A record in Redis', newer);
  const reason = (code && ADVICE[code]) ?? (error instanceof Error ? error.message : String(error));
  return toStoreError(error, `The Redis store failed: ${reason || 'connection lost'}`);
}

export function bytesLost(): StoreError {
  return new StoreError(
    'UNAVAILABLE',
    'Redis lost bytes that it had acknowledged (a failover to a replica that was behind)',
  );
}
