import { isOutcome, type OutcomeError } from '../../../protocol/outcomes.ts';
import { parseUsage } from '../../../protocol/usage.ts';
import { logLine, parseLogLine } from '../record-version.ts';
import type { Fence, StreamEnd, StreamInit } from '../types.ts';

/** One of the streams that were created under an id, read from the metadata log. */
export interface Incarnation {
  /** Chosen by the creator, to recognize its own stream, even after a lost response. */
  readonly token: string;
  readonly init: StreamInit;
  /** Number of times that the stream was adopted. */
  readonly fence: Fence;
  /** Chosen by the last adopter. */
  readonly adopter?: string;
  /** Set once the stream is closed. */
  readonly end?: StreamEnd;
  /** TTL of the first stream under the id. It determines the TTL of the log at the backend. */
  readonly logTtlSeconds: number;
}

/** Returns the line of a create: of the first stream under the id, or of one that replaces an earlier one. */
export function createLine(token: string, init: StreamInit, after?: string): string {
  const { contentType, ttlSeconds, metadata } = init;
  return `${logLine({ create: token, after, contentType, ttlSeconds, metadata })}\n`;
}

/** Entries that are added to the metadata of a stream. */
export interface Note {
  readonly token: string;
  readonly entries: StreamInit['metadata'];
  /** Fence of the writer. Undefined if it is not compared. */
  readonly fence: Fence | undefined;
}

export function noteLine({ token, entries, fence }: Note): string {
  return `${logLine({ note: token, fence, entries })}\n`;
}

export function endLine(token: string, { outcome, error, usage }: StreamEnd): string {
  return `${logLine({ end: token, outcome, error, usage })}\n`;
}

export interface Adoption {
  /** Token of the stream that is adopted. */
  readonly token: string;
  /** Unique for each adoption. */
  readonly adopter: string;
  /** The fence that the adopter read. */
  readonly fence: Fence;
  readonly entries: StreamInit['metadata'];
}

/** Returns the line of a process that adopts an open stream. Version 0.1 ignores the line. */
export function adoptLine({ token, adopter, fence, entries }: Adoption): string {
  return `${logLine({ adopt: token, by: adopter, fence, entries })}\n`;
}

/**
 * Folds the lines of the log to its current stream. Many processes write to it without coordination, and the
 * backend's order decides: if several creates replace the same stream, the first one counts. Of several ends, the
 * first one counts. Metadata entries replace earlier ones of the same name. Repeated, incomplete and unknown lines
 * are ignored.
 * @throws StoreError `UNAVAILABLE` if a line has a version that this release cannot read.
 */
export function foldMetaLog(text: string): Incarnation | undefined {
  let current: Incarnation | undefined;
  for (const line of text.split('\n').slice(0, -1)) {
    const entry = parseLogLine(line, 'The metadata of the stream') as Record<string, unknown> | undefined;
    if (!entry) continue;
    if (typeof entry['create'] === 'string' && entry['after'] === current?.token) {
      const init = parseInit(entry);
      if (init)
        current = {
          token: entry['create'],
          init,
          fence: 0,
          logTtlSeconds: current?.logTtlSeconds ?? init.ttlSeconds,
        };
    } else if (current && !current.end && entry['note'] === current.token && isEntries(entry['entries'])) {
      const { fence = current.fence } = entry;
      if (fence === current.fence) current = withEntries(current, entry['entries']);
    } else if (current && !current.end && entry['adopt'] === current.token && isEntries(entry['entries'])) {
      if (entry['fence'] !== current.fence || typeof entry['by'] !== 'string') continue;
      // Of several processes that adopt with the same fence, the first one in the log succeeds.
      current = { ...withEntries(current, entry['entries']), adopter: entry['by'], fence: current.fence + 1 };
    } else if (current && !current.end && entry['end'] === current.token && isOutcome(entry['outcome'])) {
      const error = parseError(entry['error']);
      const usage = parseUsage(entry['usage']);
      current = {
        ...current,
        end: { outcome: entry['outcome'], ...(error && { error }), ...(usage && { usage }) },
      };
    }
  }
  return current;
}

function withEntries(current: Incarnation, entries: StreamInit['metadata']): Incarnation {
  const metadata = { ...current.init.metadata, ...entries };
  return { ...current, init: { ...current.init, metadata } };
}

function parseInit({ contentType, ttlSeconds, metadata }: Record<string, unknown>): StreamInit | undefined {
  if (typeof contentType !== 'string' || typeof ttlSeconds !== 'number') return undefined;
  return isEntries(metadata) ? { contentType, ttlSeconds, metadata } : undefined;
}

function isEntries(value: unknown): value is StreamInit['metadata'] {
  return typeof value === 'object' && value !== null;
}

function parseError(value: unknown): OutcomeError | undefined {
  const { code, message } = (value ?? {}) as Record<string, unknown>;
  return typeof code === 'string' && typeof message === 'string' ? { code, message } : undefined;
}
