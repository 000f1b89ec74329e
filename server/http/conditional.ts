/**
 * Returns true if `If-None-Match` contains the ETag, compared weakly (RFC 9110, section 13.1.2). ETags of the proxy
 * contain no comma and no quote.
 */
export function matchesNone(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((part) => {
    const tag = part.trim();
    return tag === '*' || tag === etag || tag === `W/${etag}`;
  });
}

/** Positions of the first and the last byte, both inclusive. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** A single range: `bytes=0-499`, `bytes=500-`, `bytes=-500` (RFC 9110, section 14.1.2). */
const SINGLE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * Evaluates `Range` and `If-Range` of a GET (RFC 9110, sections 13.1.5 and 14.2).
 * @param etag strong validator of the representation.
 * @param size length of the representation in bytes.
 * @returns undefined if the whole representation must be sent: no range, several ranges, another unit, a malformed
 * range, or an `If-Range` with another ETag.
 */
export function rangeOf(
  headers: { readonly range?: string | undefined; readonly 'if-range'?: string | string[] | undefined },
  etag: string,
  size: number,
): ByteRange | 'unsatisfiable' | undefined {
  const [whole, from = '', to = ''] = SINGLE_RANGE.exec(headers.range ?? '') ?? [];
  if (whole === undefined || (from === '' && to === '')) return undefined;
  // Compared strongly; a date cannot match, because there is no Last-Modified.
  const ifRange = headers['if-range'];
  if (ifRange !== undefined && ifRange !== etag) return undefined;
  if (from === '') {
    const suffix = Number(to);
    if (suffix === 0) return 'unsatisfiable';
    // The suffix of an empty representation is all of it, which Content-Range cannot express.
    return size === 0 ? undefined : { first: Math.max(0, size - suffix), last: size - 1 };
  }
  const first = Number(from);
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < first) return undefined;
  return first >= size ? 'unsatisfiable' : { first, last };
}
