import { closestName } from '../shared/closest-name.ts';

/** Maximum characters of a URL, a host or a pattern that are logged and compared, because callers control them. */
const MAX_CHARS = 200;
const MAX_HOST_CHARS = 100;
/** Maximum number of patterns that are logged. */
const MAX_PATTERNS = 3;

/** Returns a rejected URL for the log: without user info, query, fragment and control characters, and shortened. */
export function loggableUrl(url: string): string {
  const bare = url.replace(/[?#].*$/s, '').replace(/^((?:[a-z][a-z\d+.-]*:)?[\\/]+)?[^\\/]*@/i, '$1');
  const printable = bare.replace(/[^\x21-\x7e]/g, '\ufffd');
  return printable.length > MAX_CHARS ? `${printable.slice(0, MAX_CHARS)}\u2026` : printable;
}

/**
 * Finds the allowlist patterns that a rejected URL was probably meant to match: those of its host, otherwise the one
 * with the most similar host.
 */
export function closePatterns(url: string, patterns: readonly string[]): string[] {
  const host = hostOf(loggableUrl(url));
  if (host === '') return [];
  const hosts = patterns.map(hostOf);
  const same = patterns.filter((_, index) => hosts[index] === host);
  if (same.length > 0) return same.slice(0, MAX_PATTERNS);
  const closest = closestName(host, [...new Set(hosts)]);
  return closest === undefined
    ? []
    : patterns.filter((_, index) => hosts[index] === closest).slice(0, MAX_PATTERNS);
}

/** Returns the host of a URL or a pattern, in lower case, without its port. */
function hostOf(text: string): string {
  const authority = text.replace(/^[a-z][a-z\d+.-]*:\/\//i, '').split('/')[0] ?? '';
  return authority
    .replace(/:[^:\]]*$/, '')
    .toLowerCase()
    .slice(0, MAX_HOST_CHARS);
}
