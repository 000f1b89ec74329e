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
  NEWER: 'a newer version of durable-proxy wrote this record, in a form that this version cannot read',
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
 * Returns true for an error that none of our commands causes, but `CLIENT SETINFO` before Redis 7.2 (see
 * `StrayReplyError`).
 */
export function isStray(error: unknown): error is Error {
  return error instanceof Error && /^ERR unknown (sub)?command\b/.test(error.message);
}

/** Returns an `UNAVAILABLE` error whose message says what to do. Error messages of Redis contain no credentials. */
export function unavailable(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = replyCode(error);
  const reason = (code && ADVICE[code]) ?? (error instanceof Error ? error.message : String(error));
  return new StoreError('UNAVAILABLE', `The Redis store failed: ${reason || 'connection lost'}`, {
    cause: error,
  });
}

export function bytesLost(): StoreError {
  return new StoreError(
    'UNAVAILABLE',
    'Redis lost bytes that it had acknowledged (a failover to a replica that was behind)',
  );
}
