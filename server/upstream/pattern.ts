import { isIP } from 'node:net';
import micromatch from 'micromatch';
import { ConfigurationError } from '../shared/errors.ts';
import { decodeOnce, isAmbiguousSegment, MAX_DECODINGS, type PossiblePath } from './paths.ts';

/** One compiled pattern of an allowlist. */
export interface Pattern {
  /** True if the host is named without a wildcard. */
  readonly literalHost: boolean;
  /**
   * Returns true if scheme, host and port of a URL match.
   * @param host without brackets and final dot.
   */
  matchesOrigin(url: URL, host: string): boolean;
  matchesPath(paths: readonly PossiblePath[]): boolean;
}

const MAX_PATTERN_LENGTH = 2_048;
/** Maximum number of wildcards in a path segment sequence; more would make matching a long path slow. */
const MAX_STARS = 2;
const SHAPE =
  /^(?:(?<scheme>[a-z][a-z\d+.-]*):\/\/)?(?<host>\[[^\]]*\]|[^/:]*)(?::(?<port>[^/]*))?(?<path>\/.*)?$/i;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/**
 * Compiles a pattern.
 * @throws ConfigurationError for an invalid pattern. The message shows a valid one.
 */
export function compilePattern(pattern: unknown): Pattern {
  if (typeof pattern !== 'string') throw wrong(pattern, 'it is not a string');
  if (pattern.length > MAX_PATTERN_LENGTH)
    throw wrong(pattern, `it is over ${MAX_PATTERN_LENGTH} characters long`);
  if (/^\**$/.test(pattern)) throw wrong(pattern, 'it has no host');
  if (/[\s\p{Cc}]/u.test(pattern)) throw wrong(pattern, 'it contains white space or control characters');
  if (/[\\?#]/.test(pattern))
    throw wrong(pattern, 'it contains "\\", "?" or "#"; query and fragment are never compared');
  const parts = SHAPE.exec(pattern)?.groups;
  if (parts === undefined) throw wrong(pattern, 'it is not a URL');

  const host = hostOf(pattern, parts['host'] ?? '');
  const schemes = schemesOf(pattern, parts['scheme'], host);
  const port = portOf(pattern, parts['port']);
  const hostExpression = host.includes('*') ? hostRegExp(host) : undefined;
  const globs = parts['path'] === undefined ? undefined : pathRegExps(pattern, parts['path']);
  return {
    literalHost: hostExpression === undefined,
    matchesOrigin(url, urlHost) {
      if (!schemes.includes(url.protocol)) return false;
      const defaultPort = DEFAULT_PORTS[url.protocol];
      if (port !== '*' && (url.port || defaultPort) !== (port ?? defaultPort)) return false;
      // Wildcards do not match parts of IP addresses.
      return hostExpression ? isIP(urlHost) === 0 && hostExpression.test(urlHost) : urlHost === host;
    },
    matchesPath(paths) {
      if (globs === undefined) return true;
      return paths.every(({ decodings, path }) => globs[decodings]?.some((glob) => glob.test(`_${path}`)));
    },
  };
}

/** Returns a URL's host as patterns compare it: without brackets and final dot (RFC 1034, section 3.1). */
export function comparableHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

function schemesOf(pattern: string, scheme: string | undefined, host: string): readonly string[] {
  if (scheme === undefined) {
    const loopback = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
    return loopback ? ['https:', 'http:'] : ['https:'];
  }
  if (!/^https?$/i.test(scheme)) throw wrong(pattern, 'its scheme is neither http nor https');
  return [`${scheme.toLowerCase()}:`];
}

function hostOf(pattern: string, host: string): string {
  if (host === '') throw wrong(pattern, 'it has no host');
  if (/[@%]/.test(host)) throw wrong(pattern, 'its host contains "@" or "%"');
  for (const label of host.split('.')) {
    if (label.includes('**')) throw wrong(pattern, '"**" stands for path segments; any subdomain is "*."');
    if (label.includes('*') && /[^\x21-\x7e]/.test(label)) {
      throw wrong(pattern, 'a label with "*" must be ASCII');
    }
    if (label.split('*').length - 1 > MAX_STARS) throw wrong(pattern, `a label has over ${MAX_STARS} "*"`);
  }
  let normalized;
  try {
    normalized = comparableHost(new URL(`http://${host}/`).hostname);
  } catch {
    throw wrong(pattern, 'its host is not valid');
  }
  if (normalized.split('.').includes('')) throw wrong(pattern, 'its host has an empty label');
  return normalized;
}

function portOf(pattern: string, port: string | undefined): string | undefined {
  if (port === undefined || port === '*') return port;
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    throw wrong(pattern, 'its port is neither "*" nor a number from 1 to 65535');
  }
  return String(Number(port));
}

/** A leading `*.` matches subdomains of any depth; any other `*` matches within its label. */
function hostRegExp(host: string): RegExp {
  const [first, ...rest] = host.split('.');
  const anyDepth = first === '*' && rest.length > 0;
  const labels = (anyDepth ? rest : [first ?? '', ...rest]).map((label) =>
    label === '*' ? '[^.]+' : label.split('*').map(escape).join('[^.]*'),
  );
  return new RegExp(`^${anyDepth ? '(?:[^.]+\\.)+' : ''}${labels.join('\\.')}$`);
}

/** Returns the expressions for each number of decodings. One expression of each list must match. */
function pathRegExps(pattern: string, path: string): readonly (readonly RegExp[])[] {
  const segments = path.slice(1).split('/');
  const inner = segments.slice(0, -1);
  if (inner.includes('')) throw wrong(pattern, 'its path has an empty segment');
  if (inner.filter((segment) => segment === '**').length > MAX_STARS) {
    throw wrong(pattern, `its path has over ${MAX_STARS} "**" before the last segment`);
  }
  for (const segment of segments) {
    if (segment !== '**' && segment.includes('**'))
      throw wrong(pattern, '"**" must stand alone between slashes');
    if (segment !== '**' && segment.split('*').length - 1 > MAX_STARS) {
      throw wrong(pattern, `a segment has over ${MAX_STARS} "*"`);
    }
  }
  if (/%(?![0-9a-f]{2})/i.test(path))
    throw wrong(pattern, 'its path has a "%" that begins no escape; write "%25"');
  // Normalized like the URLs that it is compared with; `URL` does not change "*".
  const written = new URL(`http://host${path}`).pathname;
  if (written.split('/').length !== segments.length + 1) throw wrong(pattern, 'its path has dot segments');

  // Only the text between wildcards is decoded: an escaped "*" is not a wildcard.
  let literals = written.split('*');
  const expressions = [globExpressions(literals)];
  while (expressions.length <= MAX_DECODINGS) {
    literals = literals.map((literal) => {
      const decoded = decodeOnce(literal);
      if (decoded === undefined) throw wrong(pattern, 'its escapes are not UTF-8');
      return decoded;
    });
    expressions.push(globExpressions(literals));
  }
  const hidden = literals.join('*').replaceAll('\\', '/').split('/');
  if (hidden.some(isAmbiguousSegment))
    throw wrong(pattern, 'its path has dot segments or empty path parameters');
  return expressions;
}

const GLOB_OPTIONS: micromatch.Options = {
  dot: true,
  strictSlashes: true,
  fastpaths: false,
  nobrace: true,
  noextglob: true,
  nonegate: true,
};

function globExpressions(literals: readonly string[]): readonly RegExp[] {
  // The prefix disables micromatch's special rules for a leading slash, dot or star.
  const glob = `_${literals.map((literal) => escape(literal.replaceAll('\\', '/'))).join('*')}`;
  // micromatch lets a final "**" match zero segments only after some kinds of segments.
  const globs = glob.endsWith('/**') ? [glob, glob.slice(0, -'/**'.length)] : [glob];
  return globs.map((each) => micromatch.makeRe(each, GLOB_OPTIONS));
}

/** Escapes all special characters of globs and regular expressions. */
function escape(literal: string): string {
  return literal.replace(/[!-.:-@[-^`{-~]/g, '\\$&');
}

function wrong(pattern: unknown, why: string): ConfigurationError {
  const shown = typeof pattern === 'string' ? JSON.stringify(pattern.slice(0, 100)) : String(pattern);
  return new ConfigurationError(
    `${shown} is not an allowlist pattern: ${why}. Examples: "https://api.openai.com/v1/**", "https://*.example.com", "http://localhost:*/**"`,
  );
}
