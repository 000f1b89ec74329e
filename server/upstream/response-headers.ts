import { asciiJson } from '../shared/ascii.ts';
import { ConfigurationError } from '../shared/errors.ts';
import { isToken } from '../shared/token.ts';
import { upstreamErrorHeaders } from './headers.ts';

/** Value of the option `exposeUpstreamHeaders`. */
export type ExposeUpstreamHeaders = 'all' | 'none' | readonly string[];

/** Returns the headers of an upstream's response that readers may see: a JSON array of pairs, in ASCII. */
export type ResponseHeaders = (
  status: number,
  headers: Readonly<Record<string, string | undefined>>,
) => string;

/**
 * Largest result, in bytes. A response contains it in one header, and Node's HTTP client rejects responses with more
 * than 16 KiB of headers in total.
 */
const MAX_BYTES = 8_192;

/** Longest `Content-Type` that is kept, in bytes. It is sent in a separate header. */
const MAX_CONTENT_TYPE_BYTES = 1_024;

/** Returns the `Content-Type` of an upstream's response; empty if it has none, or one of over 1,024 bytes. */
export function contentTypeIn(headers: Readonly<Record<string, string | undefined>>): string {
  const contentType = headers['content-type'] ?? '';
  return contentType.length > MAX_CONTENT_TYPE_BYTES ? '' : contentType;
}

/**
 * Names, in lower case, of headers that are never sent to readers: about the connection (RFC 9110, section 7.6.1), the
 * encoding, the user, or the upstream's origin.
 */
const NEVER_EXPOSED =
  /^(?:connection|keep-alive|te|trailers?|transfer-encoding|upgrade|set-cookie2?|content-(?:encoding|length|type)|alt-svc|strict-transport-security|(?:proxy|access-control)-.*)$/;

/**
 * Creates the filter of an upstream's response headers. The headers of an error response that CREATE-7 names always
 * pass.
 * @throws ConfigurationError for a list with an invalid header name.
 */
export function responseHeaders(exposed: ExposeUpstreamHeaders): ResponseHeaders {
  const names = new Set<string>();
  for (const name of typeof exposed === 'string' ? [] : exposed) {
    if (!isToken(name)) {
      throw new ConfigurationError(
        `exposeUpstreamHeaders contains ${JSON.stringify(name)}, which is not a header name. Example: exposeUpstreamHeaders: ['x-request-id']`,
      );
    }
    names.add(name.toLowerCase());
  }
  return (status, headers) => {
    const ofConnection = new Set(headers['connection']?.toLowerCase().split(/[\s,]+/));
    const always = status >= 400 ? upstreamErrorHeaders(headers) : {};
    const pairs: string[] = [];
    let bytes = 2;
    for (const [name, value] of Object.entries(headers)) {
      if (value === undefined || NEVER_EXPOSED.test(name) || ofConnection.has(name)) continue;
      if (exposed !== 'all' && !names.has(name) && !Object.hasOwn(always, name)) continue;
      const pair = asciiJson(JSON.stringify([name, value]));
      if (bytes + pair.length + 1 > MAX_BYTES) continue;
      bytes += pair.length + 1;
      pairs.push(pair);
    }
    return `[${pairs.join()}]`;
  };
}
