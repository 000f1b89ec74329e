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

/** Values of `kind` in the metadata of logs that are not streams of an upstream's response. */
export const KIND_CLAIM = 'claim';
export const KIND_KEY = 'key';
export const KIND_PROCESS = 'process';
export const KIND_USAGE = 'usage';

/**
 * Returns whether a log stays open when its process ends: those of an `Idempotency-Key`, of a `Stream-Key`,
 * and of what is stored. They expire by their TTL. Recovery has nothing to do for them, so a store need not look for them at startup.
 */
export function outlivesProcess(metadata: Readonly<Record<string, string>>): boolean {
  const { kind } = metadata;
  return kind !== undefined && kind !== KIND_PROCESS;
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

export function metadataOf(info: StreamInfo): StreamMetadata {
  const { subject, owner = '', claim } = info.metadata;
  return { owner, ...(subject !== undefined && { subject }), ...(claim !== undefined && { claim }) };
}
