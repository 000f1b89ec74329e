/** Maximum number of times that an upstream and the proxies in front of it may decode a path. */
export const MAX_DECODINGS = 2;

/** A path after a number of decodings. */
export interface PossiblePath {
  readonly decodings: number;
  readonly path: string;
}

/**
 * Returns every path that an upstream could derive from the path of a parsed URL: unchanged, decoded once and twice,
 * with `\` as `/`, with slashes merged, cut at a decoded `?` or `#`. The allowlist must cover all of them, so that no
 * encoding bypasses it.
 *
 * Returns undefined for a path that legitimate clients do not send: encoded dot segments or control characters,
 * segments that are empty without their path parameters (`..;`), invalid escapes, text that is not UTF-8, deeper
 * encodings.
 */
export function possiblePaths(pathname: string): readonly PossiblePath[] | undefined {
  if (/%(?![0-9a-f]{2})/i.test(pathname)) return undefined;
  const paths: PossiblePath[] = [];
  let text = pathname;
  for (let decodings = 0; ; decodings++) {
    const path = text.replaceAll('\\', '/');
    if (/\p{Cc}/u.test(path) || path.split('/').some(isAmbiguousSegment)) return undefined;
    const merged = path.replace(/\/{2,}/g, '/');
    for (const possible of new Set([path, merged, merged.replace(/[?#].*$/, '')])) {
      paths.push({ decodings, path: possible });
    }
    const decoded = decodeOnce(text);
    if (decoded === text) return paths;
    if (decoded === undefined || decodings === MAX_DECODINGS) return undefined;
    text = decoded;
  }
}

/**
 * Decodes the percent escapes of a text once. Returns undefined if the bytes are not UTF-8, such as an overlong `/`.
 */
export function decodeOnce(text: string): string | undefined {
  try {
    return text.replace(/(?:%[0-9a-f]{2})+/gi, decodeURIComponent);
  } catch {
    return undefined;
  }
}

/**
 * Returns true for `.` and `..`, also with path parameters, which some servers remove, and for segments that are empty
 * without them.
 */
export function isAmbiguousSegment(segment: string): boolean {
  return /^(?:\.{1,2}$|\.{0,2};)/.test(segment);
}
