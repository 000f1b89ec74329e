import { STREAM_CONTENT_TYPE } from './headers.ts';

/** The headers that `as=upstream` sends for a stored media type. */
export interface SafeType {
  readonly contentType: string;
  readonly disposition: 'inline' | 'attachment';
}

/** Types that browsers do not execute as a document, a script or a style sheet, with `nosniff`. */
const SAFE_TYPES: ReadonlySet<string> = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/apng',
  'image/bmp',
  'application/json',
  'text/plain',
  'text/event-stream',
]);

/**
 * Any subtype without "+": browsers render every type that ends in `+xml` as an XML document, whose XHTML elements
 * run scripts (WHATWG MIME Sniffing, section 4.6, "XML MIME type").
 */
const MEDIA = /^(?:audio|video)\/[a-z\d][a-z\d.-]*$/;
/** Playlists, by which a player would load other URLs. */
const PLAYLIST = /mpegurl/;

/**
 * A type and parameters that are tokens (RFC 9110, section 8.3.1). No quoted values and no commas: of `a/b, text/html`
 * browsers take the last type (Fetch, "extract a MIME type").
 */
const CONTENT_TYPE = /^([\w.+-]+\/[\w.+-]+)((?:[ \t]*;[ \t]*[\w.-]+=[\w.+-]+)*)[ \t]*$/;

/**
 * Decides under which type bytes of an upstream may be sent from the proxy's origin.
 * @param stored `Content-Type` as the upstream sent it.
 * @returns the stored type if browsers do not execute it, otherwise `application/octet-stream` as a download.
 */
export function safeType(stored: string): SafeType {
  const [, type = '', parameters = ''] = CONTENT_TYPE.exec(stored) ?? [];
  const essence = type.toLowerCase();
  const isMedia = MEDIA.test(essence) && !PLAYLIST.test(essence);
  if (!isMedia && !SAFE_TYPES.has(essence)) {
    return { contentType: STREAM_CONTENT_TYPE, disposition: 'attachment' };
  }
  return { contentType: essence + parameters, disposition: 'inline' };
}
