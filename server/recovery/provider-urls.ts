/** Ids that may become part of a path. */
export const PROVIDER_ID = /^[\w-]{1,512}$/;

/** Returns true if the path of a URL ends with `ending`. */
export function pathEndsWith(url: string, ending: string): boolean {
  return URL.canParse(url) && new URL(url).pathname.replace(/\/$/, '').endsWith(ending);
}

/**
 * Returns the URL of a resource below a collection. The query is kept, because gateways have their version or key in
 * it.
 */
export function childUrl(
  collection: string,
  path: string,
  query: Readonly<Record<string, string>> = {},
): string {
  const url = new URL(collection);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${path}`;
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}

/**
 * Returns true if a request body is a JSON object with certain fields.
 * @param names fields that must exist. Most bodies lack one, and are not parsed: they may be many megabytes.
 */
export function isJsonBodyWith(
  body: Uint8Array | undefined,
  names: readonly string[],
  test: (fields: Readonly<Record<string, unknown>>) => boolean,
): boolean {
  if (!body) return false;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!names.every((name) => bytes.includes(`"${name}"`))) return false;
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof parsed === 'object' && parsed !== null && test(parsed as Record<string, unknown>);
  } catch {
    return false;
  }
}
