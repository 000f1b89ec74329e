/** How often an upstream, with whatever stands before it, may be thought to decode a path. */
export const MAX_DECODINGS = 2;

/** A path as an upstream could understand it, after so many decodings. */
export interface PathReading {
  readonly decodings: number;
  readonly path: string;
}

/**
 * Every way in which an upstream could read the path of a parsed URL: as it is, decoded once and twice, with
 * `\` as `/`, with slashes merged, cut at a decoded `?` or `#`. A URL may pass an allowlist only when all
 * of them do, so that no encoding leads past it.
 *
 * Undefined for a path that no honest client sends: dot segments or control characters behind an encoding,
 * segments that path parameters empty (`..;`), broken escapes, text that is not UTF-8, deeper encodings.
 */
export function pathReadings(pathname: string): readonly PathReading[] | undefined {
  if (/%(?![0-9a-f]{2})/i.test(pathname)) return undefined;
  const readings: PathReading[] = [];
  let text = pathname;
  for (let decodings = 0; ; decodings++) {
    const path = text.replaceAll('\\', '/');
    if (/\p{Cc}/u.test(path) || path.split('/').some(isTreacherous)) return undefined;
    const merged = path.replace(/\/{2,}/g, '/');
    for (const reading of new Set([path, merged, merged.replace(/[?#].*$/, '')])) {
      readings.push({ decodings, path: reading });
    }
    const decoded = decodeOnce(text);
    if (decoded === text) return readings;
    if (decoded === undefined || decodings === MAX_DECODINGS) return undefined;
    text = decoded;
  }
}

/**
 * Decodes the escapes of a text once, and leaves alone what is none.
 * Undefined when they stand for bytes that are not UTF-8, such as an overlong `/`.
 */
export function decodeOnce(text: string): string | undefined {
  try {
    return text.replace(/(?:%[0-9a-f]{2})+/gi, decodeURIComponent);
  } catch {
    return undefined;
  }
}

/** `.` and `..`, also with the path parameters that some servers strip; and what they would leave empty. */
export function isTreacherous(segment: string): boolean {
  return /^(?:\.{1,2}$|\.{0,2};)/.test(segment);
}
