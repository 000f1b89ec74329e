/** Maximum length of one event, in characters. A server that sends an endless line must not fill the memory. */
const MAX_EVENT_CHARS = 2 ** 26;

/**
 * Creates a parser for the SSE framing of the proxy (WHATWG HTML, section 9.2.6, without `retry`). A library
 * would be an eighth of the client's size.
 * @param onEvent called for each event. `id` is empty without one.
 * @param onComment called for each comment.
 * @returns a function that takes the next characters, split anywhere.
 * @throws RangeError if an event is longer than 64 Mi characters.
 */
export function createSseParser(
  onEvent: (name: string, data: string, id: string) => void,
  onComment?: (text: string) => void,
): (chunk: string) => void {
  let rest = '';
  let name = '';
  let id = '';
  let data: string[] = [];
  let size = 0;
  return (chunk) => {
    rest += chunk;
    size += chunk.length;
    if (size > MAX_EVENT_CHARS) throw new RangeError('The event is too long');
    // A long line arrives in many chunks and is searched once.
    if (!/[\r\n]/.test(chunk)) return;
    // A CR at the end may be the first half of a CRLF. Text without a CR is split several times faster without a pattern.
    const lines = rest.split(rest.includes('\r') ? /\r\n|\n|\r(?!$)/ : '\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (!line) {
        if (data.length > 0) onEvent(name, data.join('\n'), id);
        name = id = '';
        data = [];
        size = 0;
        continue;
      }
      const colon = `${line}:`.indexOf(':');
      const field = line.slice(0, colon);
      const value = line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
      if (!field) onComment?.(value);
      else if (field === 'data') data.push(value);
      else if (field === 'event') name = value;
      else if (field === 'id') id = value;
    }
  };
}
