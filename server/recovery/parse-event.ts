import type { UpstreamEvent } from './types.ts';

/**
 * Parses the lines of one event (WHATWG HTML, "Interpreting an event stream").
 * @returns undefined for comments and empty lines.
 */
export function parseEvent(bytes: Uint8Array): UpstreamEvent | undefined {
  // TextDecoder removes a byte order mark, as the standard requires.
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\n|\r/);
  let id: string | undefined;
  let type = '';
  const data: string[] = [];
  let isEmpty = true;
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:]*)(?::[ ]?(.*))?$/s.exec(line) ?? [];
    if (name === 'data') data.push(value);
    else if (name === 'event') type = value;
    else if (name === 'id' && !value.includes('\0')) id = value;
    else continue;
    isEmpty = false;
  }
  return isEmpty ? undefined : { id, type, data: data.join('\n') };
}

/** Returns the JSON object in an event's data, or undefined. */
export function jsonOf({ data }: UpstreamEvent): Readonly<Record<string, unknown>> | undefined {
  if (!data.startsWith('{')) return undefined;
  try {
    return JSON.parse(data) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
