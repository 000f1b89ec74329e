import { isOutcome, type OutcomeError } from '../../../protocol/outcomes.ts';
import { parseUsage } from '../../../protocol/usage.ts';
import type { Fence, StreamEnd, StreamInit } from '../types.ts';

/** One life of a stream under its id, as the metadata log tells of it. */
export interface Incarnation {
  /** Chosen by whoever created it: tells "ours" from "another's", also when an answer was lost. */
  readonly token: string;
  readonly init: StreamInit;
  /** How often it was adopted. */
  readonly fence: Fence;
  /** Chosen by whoever adopted it last. */
  readonly adopter?: string;
  /** There once the closing was decided. */
  readonly end?: StreamEnd;
  /** The TTL of the first life under the id, by which the backend keeps the log itself. */
  readonly logTtlSeconds: number;
}

/** A life begins: the first under its id, or in place of one that is over. */
export function createLine(token: string, init: StreamInit, after?: string): string {
  const { contentType, ttlSeconds, metadata } = init;
  return `${JSON.stringify({ create: token, after, contentType, ttlSeconds, metadata })}\n`;
}

/** Entries that are added to the metadata of a life. */
export interface Note {
  readonly token: string;
  readonly entries: StreamInit['metadata'];
  /** Of the writer. Undefined if it is not compared. */
  readonly fence: Fence | undefined;
}

export function noteLine({ token, entries, fence }: Note): string {
  return `${JSON.stringify({ note: token, fence, entries })}\n`;
}

export function endLine(token: string, { outcome, error, usage }: StreamEnd): string {
  return `${JSON.stringify({ end: token, outcome, error, usage })}\n`;
}

export interface Adoption {
  /** The life that is adopted. */
  readonly token: string;
  /** Unique for each adoption. */
  readonly adopter: string;
  /** The fence that the adopter saw. */
  readonly fence: Fence;
  readonly entries: StreamInit['metadata'];
}

/** A process takes over an open stream. Version 0.1 ignores the line. */
export function adoptLine({ token, adopter, fence, entries }: Adoption): string {
  return `${JSON.stringify({ adopt: token, by: adopter, fence, entries })}\n`;
}

/**
 * What the log says, line after line. Many processes write to it without asking each other, and the backend's
 * order decides: of several that want to follow one life the first does, and of several ends the first stands.
 * Entries of the metadata replace earlier ones of the same name.
 * What is none of that changes nothing: a repeated line, a line cut short, a line of a later version.
 */
export function foldMetaLog(text: string): Incarnation | undefined {
  let current: Incarnation | undefined;
  for (const line of text.split('\n').slice(0, -1)) {
    const entry = parseLine(line);
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

function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
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
