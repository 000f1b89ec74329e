/** Most characters of one event. A server that sends an endless line must not fill the memory. */
const MAX_EVENT_CHARS = 2 ** 26;

/** Called for what an SSE stream contains. */
export interface SseListener {
  onEvent(name: string, data: string): void;
  onComment(text: string): void;
}

/**
 * Creates a parser for the SSE framing of the proxy (WHATWG HTML, section 9.2.6, without `id` and `retry`). A library
 * would be an eighth of the client's size.
 * @returns a function that takes the next characters, split anywhere.
 * @throws RangeError if an event is longer than 64 Mi characters.
 */
export function createSseParser({ onEvent, onComment }: SseListener): (chunk: string) => void {
  let rest = '';
  let name = '';
  let data: string[] = [];
  let size = 0;
  return (chunk) => {
    rest += chunk;
    size += chunk.length;
    if (size > MAX_EVENT_CHARS) throw new RangeError('The event is too long');
    // A long line arrives in many chunks and is searched once.
    if (!/[\r\n]/.test(chunk)) return;
    // A CR at the end may be the first half of a CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (!line) {
        if (data.length > 0) onEvent(name, data.join('\n'));
        name = '';
        data = [];
        size = 0;
        continue;
      }
      const [field, ...values] = line.split(':');
      const value = values.join(':').replace(/^ /, '');
      if (line.startsWith(':')) onComment(value);
      else if (field === 'data') data.push(value);
      else if (field === 'event') name = value;
    }
  };
}
