import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { MalformedAnswerError } from '../core-client/transports/errors.ts';

/** How a body is read: as it is, as one JSON value at its end, as SSE, or as one JSON value per line. */
export type ParseMode = 'text' | 'json' | 'sse' | 'ndjson';

/** Characters of one SSE event or one line: past it the body is none of that kind. */
const MAX_CHARS = 64 * 1024 * 1024;

/** Takes a body's text as it comes. */
export interface BodyParser {
  /** Gives the events that this text completed. Throws MalformedAnswerError. */
  feed(text: string): readonly unknown[];
  /** The last event, if the end completes one. */
  rest(): readonly unknown[];
  /** What the whole body is. */
  result(text: string, events: readonly unknown[]): unknown;
}

export function bodyParser(mode: ParseMode): BodyParser {
  switch (mode) {
    case 'text':
      return { feed: () => [], rest: () => [], result: (text) => text };
    case 'json':
      return { feed: () => [], rest: () => [], result: (text) => parseJson(text, 'The body') };
    case 'sse':
      return sseParser();
    case 'ndjson':
      return lineParser();
  }
}

function sseParser(): BodyParser {
  let complete: EventSourceMessage[] = [];
  let failure: MalformedAnswerError | undefined;
  const parser = createParser({
    maxBufferSize: MAX_CHARS,
    onEvent: (event) => complete.push(event),
    onError(cause) {
      // An unknown field is for a later version of the format; a buffer that never ends is not SSE.
      if (cause.type === 'max-buffer-size-exceeded') {
        failure = new MalformedAnswerError('The body has no end of an event.', { cause });
      }
    },
  });
  return {
    feed(text) {
      complete = [];
      parser.feed(text);
      if (failure) throw failure;
      return complete;
    },
    // The HTML standard, section 9.2.6: an event that no blank line ends is dropped.
    rest: () => [],
    result: (_, events) => events,
  };
}

function lineParser(): BodyParser {
  let rest = '';
  const parse = (lines: readonly string[]) =>
    lines.filter((line) => line.trim() !== '').map((line) => parseJson(line, 'A line of the body'));
  return {
    feed(text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_CHARS) throw new MalformedAnswerError('The body has no end of a line.');
      return parse(lines);
    },
    rest: () => parse([rest]),
    result: (_, events) => events,
  };
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new MalformedAnswerError(`${what} is not JSON.`, { cause });
  }
}
