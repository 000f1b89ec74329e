import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { MalformedAnswerError } from '../core-client/transports/errors.ts';

/** How a body is parsed: not at all, as one JSON value at its end, as SSE, or as one JSON value per line. */
export type ParseMode = 'text' | 'json' | 'sse' | 'ndjson';

/** Maximum characters of one SSE event or one line. A longer one is an error. */
const MAX_CHARS = 64 * 1024 * 1024;

/** Parses a body's text incrementally. */
export interface BodyParser {
  /** Returns the events that this text completes. @throws MalformedAnswerError */
  feed(text: string): readonly unknown[];
  /** Returns the last event, if the end of the body completes one. */
  rest(): readonly unknown[];
  /** Returns the value of the whole body. */
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
      // Unknown fields are ignored, as the HTML standard says. A buffer without end is not SSE.
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
    // HTML standard, section 9.2.6: an event without a blank line at its end is discarded.
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
