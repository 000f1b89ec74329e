/** Ids that may go into a path. */
export const PROVIDER_ID = /^[\w-]{1,512}$/;

/** Returns true if the path of a URL ends so. */
export function pathEndsWith(url: string, ending: string): boolean {
  return URL.canParse(url) && new URL(url).pathname.replace(/\/$/, '').endsWith(ending);
}

/** Returns the URL of something below a collection. The query is kept: gateways have their version or key in it. */
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

/** Returns true if a request body is a JSON object with certain fields. */
export function isJsonBodyWith(
  body: Uint8Array | undefined,
  test: (fields: Readonly<Record<string, unknown>>) => boolean,
): boolean {
  // Cheaper than to parse every body: each recovery asks for `stream: true`.
  if (!body || !Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes('"stream"')) return false;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return typeof parsed === 'object' && parsed !== null && test(parsed as Record<string, unknown>);
  } catch {
    return false;
  }
}
