import type { StreamInfo } from './types.ts';

/** What the proxy keeps with an answer's stream. All text, since metadata is. */
export interface StreamMetadata {
  /** Who may read, head, delete and find it by service auth; absent for the plain secret's. */
  readonly subject?: string;
  /** The proxy process that holds the upstream. */
  readonly owner: string;
  /** The claim of its `Idempotency-Key`, which goes when the stream is deleted. */
  readonly claim?: string;
}

/** Returns whether the head of the upstream's response is still to come: `annotate` adds it. */
export function isPending({ pending, status }: Readonly<Record<string, string>>): boolean {
  return pending !== undefined && status === undefined;
}

export function toMetadata(metadata: StreamMetadata): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}

export function metadataOf(info: Pick<StreamInfo, 'metadata'>): StreamMetadata {
  const { subject, owner = '', claim } = info.metadata;
  return { owner, ...(subject !== undefined && { subject }), ...(claim !== undefined && { claim }) };
}

/** Metadata entry that holds the sealed state of a recovery while the stream is open. Empty afterwards. */
export const RECOVERY = 'recovery';

/** Returns true for a stream that another process may continue. Of a dead process, it is left open for that. */
export function isRecoverable(metadata: Readonly<Record<string, string>>): boolean {
  return (metadata[RECOVERY] ?? '') !== '';
}

/** Metadata entry with the number of times that the stream was continued. */
const RECOVERIES = 'recoveries';

/** Returns how often a stream was continued. */
export function recoveriesOf(metadata: Readonly<Record<string, string>>): number {
  return Number(metadata[RECOVERIES] ?? 0);
}

export function recoveriesEntry(count: number): Record<string, string> {
  return { [RECOVERIES]: String(count) };
}

/** Metadata entry of a stream whose closing is reported by a webhook. */
export const WEBHOOK = 'webhook';

/**
 * Returns true for a stream that a store of one process must not close when it opens: the proxy continues it, or closes it
 * after it has stored its webhook.
 */
export function isLeftOpen(metadata: Readonly<Record<string, string>>): boolean {
  return isRecoverable(metadata) || WEBHOOK in metadata;
}
