import type { StreamInfo } from './types.ts';

/** The head of the upstream's response, as it is stored with the stream. */
export interface UpstreamHead {
  readonly status: number;
  /** The `Content-Type`; empty if the upstream sent none. */
  readonly contentType: string;
  /** All other headers that readers receive: a JSON array of name-value pairs, in ASCII. */
  readonly headers: string;
}

/** Returns the metadata of a head. */
export function headEntries({ status, contentType, headers }: UpstreamHead): Record<string, string> {
  return { status: String(status), headers, contentType };
}

/** Returns the head of a stream; undefined while it is pending, and for streams of earlier versions. */
export function headOf({
  contentType,
  metadata: { status, headers = '[]', contentType: added },
}: Pick<StreamInfo, 'contentType' | 'metadata'>): UpstreamHead | undefined {
  return status === undefined
    ? undefined
    : { status: Number(status), headers, contentType: added ?? contentType };
}

/** Returns the media type of the stored bytes. Empty if it is unknown or still pending. */
export function contentTypeOf(info: Pick<StreamInfo, 'contentType' | 'metadata'>): string {
  return headOf(info)?.contentType ?? info.contentType;
}
