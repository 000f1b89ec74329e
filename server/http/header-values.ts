import type { IncomingMessage } from 'node:http';

/**
 * Returns every value of a request header, in order; an empty list if it is absent.
 *
 * Reads `rawHeaders`: `headers` keeps only the first of several fields, and Node's HTTP/2 compatibility API has no
 * `headersDistinct`.
 * @param name in any case.
 */
export function headerValues({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): string[] {
  const wanted = name.toLowerCase();
  return rawHeaders.filter((_value, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === wanted);
}
