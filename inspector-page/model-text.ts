type Json = Readonly<Record<string, unknown>> | undefined;

/**
 * Reads the text of a model from a stream of events, in the formats of the usual providers. Other events are ignored: the
 * page shows the stream itself as well.
 */
export class ModelText {
  #rest = '';

  /** Returns the text in a piece of the stream. */
  push(piece: string): string {
    const lines = (this.#rest + piece).split(/\r?\n/);
    this.#rest = lines.pop() ?? '';
    return lines.map((line) => (line.startsWith('data:') ? textOf(line.slice(5)) : '')).join('');
  }
}

function textOf(data: string): string {
  let event: Json;
  try {
    event = JSON.parse(data) as Json;
  } catch {
    return '';
  }
  if (typeof event !== 'object' || event === null) return '';
  const texts = [
    // OpenAI: chat completions, and responses; the AI SDK and AG-UI have a `delta` too.
    at(event, 'choices', 0, 'delta', 'content'),
    /(^|[._-])text([._-]|$)|TEXT_MESSAGE_CONTENT/.test(String(event['type'])) ? event['delta'] : undefined,
    // Anthropic
    at(event, 'delta', 'text'),
    // Gemini
    ...parts(at(event, 'candidates', 0, 'content', 'parts')),
  ];
  return texts.filter((text) => typeof text === 'string').join('');
}

function parts(value: unknown): unknown[] {
  return Array.isArray(value) ? value.map((part: unknown) => at(part, 'text')) : [];
}

/** Returns the value at a path, or undefined. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  let found: unknown = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string | number, unknown>)[name];
  }
  return found;
}
