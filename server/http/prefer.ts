import { isToken } from '../shared/token.ts';

const QUOTED_STRING = /^"(?:[^"\\]|\\.)*"$/;

/**
 * Parses the `Prefer` header (RFC 7240, section 2).
 *
 * Names are case-insensitive. If a preference is sent several times, the first one counts. An empty value equals no
 * value. Malformed members are ignored, as a server may ignore any preference; parameters are ignored because no
 * preference of the proxy has one.
 * @param fields the values of all `Prefer` fields of the request, in order.
 * @returns the value of each preference by its name in lower case; an empty string if it has no value.
 */
export function parsePrefer(fields: readonly string[]): ReadonlyMap<string, string> {
  const preferences = new Map<string, string>();
  for (const member of fields.flatMap((field) => splitUnquoted(field, ','))) {
    const [preference = ''] = splitUnquoted(member, ';');
    const equals = preference.indexOf('=');
    const name = (equals < 0 ? preference : preference.slice(0, equals)).trim().toLowerCase();
    const value = equals < 0 ? '' : wordOf(preference.slice(equals + 1).trim());
    if (isToken(name) && value !== undefined && !preferences.has(name)) preferences.set(name, value);
  }
  return preferences;
}

/** Returns the text of a token or a quoted string, or undefined if it is neither. */
function wordOf(text: string): string | undefined {
  if (text === '' || isToken(text)) return text;
  return QUOTED_STRING.test(text) ? text.slice(1, -1).replace(/\\(.)/g, '$1') : undefined;
}

/** Splits at a separator that is not inside a quoted string (RFC 9110, section 5.6.4). */
function splitUnquoted(text: string, separator: string): string[] {
  const parts: string[] = [];
  let quoted = false;
  let begin = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted && char === '\\') at += 1;
    else if (char === '"') quoted = !quoted;
    else if (char === separator && !quoted) {
      parts.push(text.slice(begin, at));
      begin = at + 1;
    }
  }
  return [...parts, text.slice(begin)];
}
