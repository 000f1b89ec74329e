import { ConfigurationError } from '../shared/errors.ts';
import { pathReadings } from './paths.ts';
import { comparableHost, compilePattern } from './pattern.ts';

/** A URL that passed. */
export interface AllowedUrl {
  /** As it was parsed and compared, without a fragment; request this and nothing else. */
  readonly url: URL;
  /** A pattern that lets it through names its host without a wildcard: the operator means that very host. */
  readonly literalHost: boolean;
}

export interface Allowlist {
  /** Undefined when the URL is not allowed, malformed, neither http nor https, or holds user info. */
  check(url: string): AllowedUrl | undefined;
}

/** A path longer than this is refused: no API has one, and matching it takes time. */
const MAX_PATH_LENGTH = 2_048;
/** The longest name that DNS knows (RFC 1035, section 2.3.4). */
const MAX_HOST_LENGTH = 253;

/**
 * Makes the check of upstream URLs from patterns like `https://api.openai.com/v1/**`. An empty list lets
 * nothing through.
 *
 * - In a path `*` is one segment, or a part of one, and `**` any number of segments, also none; everything
 *   else is literal. Without a path, any path; `/` alone is the root.
 * - A port may be `*`. Without one, the scheme's default port only.
 * - Without a scheme, https only; for localhost and loopback addresses http too.
 * - `*.example.com` is any depth of subdomains and not example.com itself; any other `*` in a host stays
 *   within its label (`*-aiplatform.googleapis.com`). Wildcards never take IP addresses.
 * - `*` alone is refused: a list that lets everything through is a mistake more often than a wish.
 * - Query and fragment are not compared; scheme and host are compared without case, the path with it.
 * - A path passes only if it would in every way that an upstream could decode it (see `paths.ts`).
 *
 * @throws ConfigurationError for a pattern that cannot work; the message shows one that does.
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
      const readings = pathReadings(url.pathname);
      if (readings === undefined) return undefined;
      const matching = candidates.filter((pattern) => pattern.matchesPath(readings));
      if (matching.length === 0) return undefined;
      return { url, literalHost: matching.some((pattern) => pattern.literalHost) };
    },
  };
}

/**
 * Parses strictly what URL would repair: one way to write a URL is one way to read it. The final dot of a
 * host goes, so that the host which was compared is the one that is asked (and named in TLS).
 */
function parse(text: string): URL | undefined {
  // User info, backslashes and white space are where parsers of URLs disagree.
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
