import type { StreamInfo } from './types.ts';

/** Metadata of a response's stream. All values are strings. */
export interface StreamMetadata {
  /**
   * The subject that may read, inspect, delete and find the stream with service authentication. Undefined for the plain
   * secret.
   */
  readonly subject?: string;
  /** The proxy process that reads from the upstream. */
  readonly owner: string;
  /** The claim of its `Idempotency-Key`, which is released when the stream is deleted. */
  readonly claim?: string;
}

/** Returns true until the head of the upstream's response has been added with `annotate`. */
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

/**
 * Metadata entry with the sealed state of a recovery. Replaced by the end of the stream before the stream is closed.
 */
export const RECOVERY = 'recovery';

/** Returns true for a stream that another process may continue or close. It stays open if its process dies. */
export function isRecoverable(metadata: Readonly<Record<string, string>>): boolean {
  return (metadata[RECOVERY] ?? '') !== '';
}

/** Metadata entry with the number of times that the stream was continued. */
const RECOVERIES = 'recoveries';

/** Returns the number of times that a stream was continued. */
export function recoveriesOf(metadata: Readonly<Record<string, string>>): number {
  return Number(metadata[RECOVERIES] ?? 0);
}

export function recoveriesEntry(count: number): Record<string, string> {
  return { [RECOVERIES]: String(count) };
}

/** Metadata entry of a stream whose closing is reported by a webhook. */
export const WEBHOOK = 'webhook';

/**
 * Returns true for a stream that a single-process store must not close when it opens: the proxy continues it, or closes
 * it after it has stored its webhook.
 */
export function isLeftOpen(metadata: Readonly<Record<string, string>>): boolean {
  return isRecoverable(metadata) || WEBHOOK in metadata;
}
