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

/**
 * Logs that are no answers say what they are in their metadata's `kind`: a recovering store leaves them open
 * (and drops those of a process, which is dead then).
 */
export const KIND_CLAIM = 'claim';
export const KIND_KEY = 'key';
export const KIND_PROCESS = 'process';

export function toMetadata(metadata: StreamMetadata): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}

export function metadataOf(info: StreamInfo): StreamMetadata {
  const { subject, owner = '', claim } = info.metadata;
  return { owner, ...(subject !== undefined && { subject }), ...(claim !== undefined && { claim }) };
}
