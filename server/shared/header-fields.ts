import type { IncomingMessage } from 'node:http';

/**
 * Returns the header fields of `req.rawHeaders` as pairs of name and value. Repeated fields are separate and in order.
 *
 * `headers` keeps only the first of several fields, and Node's HTTP/2 compatibility API has no `headersDistinct`.
 */
export function headerFields(rawHeaders: readonly string[]): [name: string, value: string][] {
  const fields: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    fields.push([rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '']);
  return fields;
}

/**
 * Returns every value of a request header, in order; an empty list if it is absent.
 * @param name in any case.
 */
export function headerValues({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): string[] {
  const wanted = name.toLowerCase();
  return headerFields(rawHeaders).flatMap(([own, value]) => (own.toLowerCase() === wanted ? [value] : []));
}
