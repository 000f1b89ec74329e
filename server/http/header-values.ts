import type { IncomingMessage } from 'node:http';
import { headerFields } from '../shared/header-fields.ts';

/**
 * Returns every value of a request header, in order; an empty list if it is absent.
 * @param name in any case.
 */
export function headerValues({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): string[] {
  const wanted = name.toLowerCase();
  return headerFields(rawHeaders).flatMap(([own, value]) => (own.toLowerCase() === wanted ? [value] : []));
}
