import { ConfigurationError } from '../shared/errors.ts';
import { possiblePaths } from './paths.ts';
import { comparableHost, compilePattern } from './pattern.ts';

/** A URL that the allowlist covers. */
export interface AllowedUrl {
  /** The URL as it was parsed and compared, without a fragment. Only this URL may be requested. */
  readonly url: URL;
  /** True if a matching pattern names the host without a wildcard. */
  readonly literalHost: boolean;
}

export interface Allowlist {
  /** Returns undefined if the URL is not covered, malformed, neither http nor https, or has user info. */
  check(url: string): AllowedUrl | undefined;
}

/** Maximum length of a path. Matching longer paths takes time, and APIs do not have them. */
const MAX_PATH_LENGTH = 2_048;
/** Maximum length of a name in DNS (RFC 1035, section 2.3.4). */
const MAX_HOST_LENGTH = 253;

/**
 * Compiles patterns like `https://api.openai.com/v1/**` into the check of upstream URLs. An empty list allows no URL.
 *
 * - In a path, `*` matches one segment or a part of one, and `**` any number of segments, including none. All other
 *   characters are literal. A pattern without a path covers every path; `/` covers the root only.
 * - A port may be `*`. A pattern without a port covers the scheme's default port only.
 * - A pattern without a scheme covers https only; for localhost and loopback addresses also http.
 * - `*.example.com` matches subdomains of any depth and not example.com itself. Any other `*` in a host matches within
 *   its label (`*-aiplatform.googleapis.com`). Wildcards do not match IP addresses.
 * - `*` alone is rejected, because a proxy that allows every URL is usually a mistake.
 * - Query and fragment are not compared. Scheme and host are case-insensitive, the path is case-sensitive.
 * - A path is covered only if it is covered in every way that an upstream could decode it (see `paths.ts`).
 *
 * @throws ConfigurationError for an invalid pattern. The message shows a valid one.
 */
export function compileAllowlist(patterns: readonly string[]): Allowlist {
  if (!Array.isArray(patterns)) {
    throw new ConfigurationError(
      "allowlist must be a list of patterns. Example: allowlist: ['https://api.openai.com/**']",
    );
  }
  const compiled = patterns.map(compilePattern);
  return {
    check(text) {
      const url = parse(text);
      if (url === undefined) return undefined;
      const host = comparableHost(url.hostname);
      const candidates = compiled.filter((pattern) => pattern.matchesOrigin(url, host));
      if (candidates.length === 0) return undefined;
      const paths = possiblePaths(url.pathname);
      if (paths === undefined) return undefined;
      const matching = candidates.filter((pattern) => pattern.matchesPath(paths));
      if (matching.length === 0) return undefined;
      return { url, literalHost: matching.some((pattern) => pattern.literalHost) };
    },
  };
}

/**
 * Parses strictly instead of relying on `URL`, which silently normalizes malformed input. Removes the final dot of the
 * host, so that the host that was compared is the one that is resolved and named in TLS.
 */
function parse(text: string): URL | undefined {
  // URL parsers disagree about user info, backslashes and white space.
  const authority = /^https?:\/\/(?<authority>[^/?#]+)/i.exec(text)?.groups?.['authority'];
  if (authority === undefined || authority.includes('@')) return undefined;
  if (/[\s\p{Cc}]/u.test(text) || /^[^?#]*\\/.test(text)) return undefined;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return undefined;
  }
  url.hash = '';
  if (url.hostname.endsWith('.')) url.hostname = url.hostname.slice(0, -1);
  if (url.hostname.split('.').includes('') || url.hostname.length > MAX_HOST_LENGTH) return undefined;
  return url.pathname.length > MAX_PATH_LENGTH ? undefined : url;
}
