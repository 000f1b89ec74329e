import { describe, expect, it } from 'vitest';
import { FORMAT_ANSWERS } from '../../tests/support/format-answers.ts';
import { seeded } from '../../tests/support/random.ts';
import { hasRecordings, recording, type RecordingName } from '../../tests/support/recordings.ts';
import { createFormatReader, type FormatReader } from './reader.ts';

const SSE = { 'content-type': 'text/event-stream' };

function read(
  text: string | Uint8Array,
  headers: Readonly<Record<string, string>> = SSE,
  chunkBytes = 7,
): FormatReader {
  const reader = createFormatReader(headers)!;
  const bytes = Buffer.from(text);
  // In small pieces, so that events and characters are split.
  for (let at = 0; at < bytes.length; at += chunkBytes) reader.push(bytes.subarray(at, at + chunkBytes));
  return reader;
}

/** Compares the readers of whole events and of pieces of them after each event. */
function expectSameInEvents(
  events: readonly (string | Uint8Array)[],
  headers: Readonly<Record<string, string>> = SSE,
): void {
  const [inEvents, inPieces] = [createFormatReader(headers)!, createFormatReader(headers)!];
  const seen = ({ format, state, isFinal, error, usage }: FormatReader) => ({
    ...{ format, state, isFinal, error, usage },
  });
  events.forEach((event, at) => {
    const bytes = Buffer.from(event);
    inEvents.push(bytes);
    for (let from = 0; from < bytes.length; from += 7) inPieces.push(bytes.subarray(from, from + 7));
    expect([at, seen(inEvents)]).toEqual([at, seen(inPieces)]);
  });
}

const data = (value: unknown): string =>
  `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`;
const chunk = (choices: readonly object[], more: object = {}): string =>
  data({ object: 'chat.completion.chunk', model: 'm', choices, ...more });

describe.each(FORMAT_ANSWERS)('$format', ({ format, headers, events, whole, usage, error }) => {
  const text = events.join('');

  it('is recognized, ended and final when it is complete, with its usage', () => {
    const reader = read(text, headers);
    expect(reader).toMatchObject({ format, state: 'ended', isFinal: true, error: undefined });
    expect(reader.usage).toEqual(usage);
  });

  it.each(events.map((_, at) => at).slice(1))(
    'is ended after %i events only if nothing is missing',
    (count) => {
      const reader = read(events.slice(0, count).join(''), headers);
      expect(reader.state).toBe(count >= whole ? 'ended' : 'open');
      expect(reader.usage).toMatchObject({ format });
    },
  );

  it('is open when it is cut anywhere before its end', () => {
    const end = Buffer.byteLength(events.slice(0, whole).join(''));
    const bytes = Buffer.from(text);
    // The last LF of CR LF CR LF is not needed: a CR ends a line as well.
    const last = text.includes('\r\n') ? end - 1 : end;
    for (let cut = Buffer.byteLength(events[0]!); cut < last; cut += 1) {
      expect([cut, read(bytes.subarray(0, cut), headers).state]).toEqual([cut, 'open']);
    }
  });

  it('is the same in whole events, of which most are skipped, as in pieces of them', () => {
    expectSameInEvents([...events.slice(0, 2), ...events, error, ...events], headers);
  });

  it('has an error when the provider reports one', () => {
    const reader = read(events.slice(0, whole - 1).join('') + error, headers);
    expect(reader.error).toEqual(format === 'ai-sdk-ui' ? {} : { code: 'server_error' });
    expect(reader.state).toBe('open');
  });

  it('is read only from text/event-stream', () => {
    expect(createFormatReader({ ...headers, 'content-type': 'application/json' })).toBeUndefined();
    expect(createFormatReader({})).toBeUndefined();
  });
});

describe('endings of OpenAI chat completions', () => {
  const open = chunk([{ index: 0, delta: { content: 'a' }, finish_reason: null }]);
  const stop = chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]);

  it.each([
    ['no [DONE]', open + stop, 'ended'],
    ['no finish_reason', open + data('[DONE]'), 'ended'],
    ['neither', open, 'open'],
    ['a tool call', open + stop.replace('stop', 'tool_calls'), 'ended'],
    ['an end that is empty', open + stop.replace('stop', ''), 'open'],
    [
      'a text that contains [DONE]',
      open + chunk([{ index: 0, delta: { content: 'data: [DONE]\n\n' } }]),
      'open',
    ],
  ])('with %s', (_, text, state) => {
    expect(read(text).state).toBe(state);
  });

  it('needs the end of every choice', () => {
    const second = chunk([{ index: 1, delta: { content: 'b' }, finish_reason: null }]);
    const secondStop = chunk([{ index: 1, delta: {}, finish_reason: 'length' }]);
    expect(read(open + second + stop).state).toBe('open');
    expect(read(open + second + stop + secondStop).state).toBe('ended');
  });

  it('uses the last usage if every chunk has one, also of an incomplete answer', () => {
    const counted = [1, 2, 3].map((n) =>
      chunk([{ index: 0, delta: { content: 'a' } }], { usage: { prompt_tokens: 5, completion_tokens: n } }),
    );
    expect(read(open + counted.join('')).usage).toEqual({
      format: 'openai-chat',
      model: 'm',
      inputTokens: 5,
      outputTokens: 3,
    });
  });

  it('is recognized after an event that has filter results only, and comments', () => {
    const azure = data({ choices: [], id: '', model: '', object: '', prompt_filter_results: [{}] });
    expect(read(`: PROCESSING\n\n${azure}${open}`)).toMatchObject({ format: 'openai-chat', state: 'open' });
  });
});

describe('endings of other formats', () => {
  const answerOf = (format: string) => FORMAT_ANSWERS.find((each) => each.format === format)!;

  it('counts response.incomplete as the end of an answer', () => {
    const [created] = answerOf('openai-responses').events;
    const incomplete = {
      type: 'response.incomplete',
      response: { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } },
    };
    const reader = read(created! + data(incomplete));
    expect(reader.state).toBe('ended');
    expect(reader.usage?.finishReason).toBe('max_output_tokens');
  });

  it('reads OpenAI Responses and Anthropic messages without event fields', () => {
    for (const format of ['openai-responses', 'anthropic-messages']) {
      const { events, usage } = answerOf(format);
      const reader = read(events.join('').replaceAll(/^event: .*\n/gm, ''));
      expect(reader).toMatchObject({ format, state: 'ended' });
      expect(reader.usage).toEqual(usage);
    }
  });

  it('has an error when Gemini blocks the prompt', () => {
    const reader = read(data({ promptFeedback: { blockReason: 'SAFETY' }, modelVersion: 'm' }));
    expect(reader).toMatchObject({ format: 'gemini', error: { code: 'SAFETY' } });
  });

  it('recognizes a UI message stream without its header by its second event', () => {
    const { events } = answerOf('ai-sdk-ui');
    expect(read(events.slice(0, 1).join('')).state).toBe('unknown');
    expect(read(events.slice(0, 2).join('')).state).toBe('open');
    expect(read(events.join('')).state).toBe('ended');
  });

  it('does not close a UI message stream between two merged answers', () => {
    const { events, headers } = answerOf('ai-sdk-ui');
    expect(read(events.slice(0, 5).join(''), headers)).toMatchObject({ state: 'ended', isFinal: false });
  });

  it('ends a UI message stream without finish at [DONE]', () => {
    const { headers } = answerOf('ai-sdk-ui');
    expect(
      read(data({ type: 'start' }) + data({ type: 'data-x', data: 1 }) + data('[DONE]'), headers).state,
    ).toBe('ended');
  });

  it('continues after a step of an agent that ended in tool calls, and sums the usage', () => {
    const [started, message] = answerOf('ag-ui').events;
    const step = (finishReason: string) =>
      data({
        type: 'RUN_FINISHED',
        runId: 'r',
        metadata: { tanstack: { finishReason } },
        usage: { promptTokens: 1, completionTokens: 2 },
      });
    expect(read(started! + step('tool_calls'))).toMatchObject({ state: 'ended', isFinal: false });
    expect(read(started! + step('tool_calls') + message!).state).toBe('open');
    const reader = read(started! + step('tool_calls') + message! + step('stop'));
    expect(reader).toMatchObject({ state: 'ended', isFinal: true });
    expect(reader.usage).toMatchObject({ inputTokens: 2, outputTokens: 4, finishReason: 'stop' });
  });
});

describe('unrecognized answers', () => {
  it.each([
    ['no events', ''],
    ['text', data('hello')],
    ['[DONE] alone', data('hello') + data('[DONE]')],
    ['JSON of an app', data({ type: 'delta', choices: 'a', candidates: [1] })],
    ['a start of an app', data({ type: 'start', job: 1 }) + data({ type: 'progress' })],
    ['JSON that is malformed', 'data: {"object":"chat.completion.chunk"\n\n'],
    ['an error alone', data({ error: { code: 'x' } })],
    ['a format that begins too late', data('hi').repeat(8) + chunk([{ index: 0, delta: {} }])],
  ])('stay unknown: %s', (_, text) => {
    expect(read(text)).toMatchObject({
      format: undefined,
      state: 'unknown',
      error: undefined,
      usage: undefined,
    });
  });

  it('stay unknown if an event is too long to be read', () => {
    const long = `data: ${'a'.repeat(5_000_000)}\n\n`;
    expect(read(chunk([{ index: 0, delta: {} }])).state).toBe('open');
    const reader = createFormatReader(SSE)!;
    reader.push(Buffer.from(chunk([{ index: 0, delta: {} }]) + long));
    expect(reader.state).toBe('unknown');
    reader.push(Buffer.from(data('[DONE]')));
    expect(reader.state).toBe('ended');
  });
});

/** For each recording, the beginning of the event that completes the answer, and the expected usage. */
const RECORDED: Readonly<Record<RecordingName, { end: string; usage: object }>> = {
  'openai-chat-text': {
    end: '"finish_reason":"stop"',
    usage: {
      inputTokens: 16,
      outputTokens: 300,
      cachedInputTokens: 0,
      reasoningTokens: 0,
      finishReason: 'stop',
    },
  },
  'deepseek-reasoning': {
    end: '"finish_reason":"stop"',
    usage: { inputTokens: 18, outputTokens: 219, reasoningTokens: 205, model: 'deepseek-reasoner' },
  },
  'openai-responses-web-search': {
    end: '"type":"response.completed"',
    usage: { inputTokens: 31073, outputTokens: 4416, cachedInputTokens: 3712, reasoningTokens: 3712 },
  },
  'anthropic-text': {
    end: '"type":"message_stop"',
    usage: { inputTokens: 12, outputTokens: 30, finishReason: 'end_turn' },
  },
  'anthropic-web-search': { end: '"type":"message_stop"', usage: { inputTokens: 15665, outputTokens: 795 } },
  'google-text': {
    end: '"finishReason":"STOP"',
    usage: { inputTokens: 9, outputTokens: 208, reasoningTokens: 185 },
  },
};

// The recordings are not a part of the repository.
describe.runIf(hasRecordings).each(Object.entries(RECORDED))('the recording %s', (name, { end, usage }) => {
  // The body of a skipped suite runs too.
  const bytes = hasRecordings ? recording(name as RecordingName) : Buffer.alloc(0);
  const text = bytes.toString('latin1');
  const isCrLf = text.includes('\r\n\r\n');
  const blank = isCrLf ? '\r\n\r\n' : '\n\n';
  const boundaries = [...text.matchAll(new RegExp(blank, 'g'))].map(({ index }) => index + blank.length);
  /** Position from which on the answer is complete. The last LF of CR LF is not needed. */
  const whole = text.indexOf(blank, text.lastIndexOf(end)) + blank.length - (isCrLf ? 1 : 0);

  it('is complete, with its usage', () => {
    const reader = read(bytes);
    expect(reader.state).toBe('ended');
    expect(reader.usage).toMatchObject(usage);
  });

  it('is the same in whole events, of which most are skipped, as in pieces of them', () => {
    const events = boundaries.map((end, at) => bytes.subarray(boundaries[at - 1] ?? 0, end));
    expectSameInEvents(events);
  });

  it('is never complete when it is cut at an event or anywhere else', () => {
    const random = seeded(18);
    const cuts = [...boundaries, ...Array.from({ length: 200 }, () => Math.floor(random() * bytes.length))];
    const stateAt = (cut: number) => read(bytes.subarray(0, cut), SSE, 4_099).state;
    /** Bytes of the first event that show the format. */
    const shown = 120;
    const wrong = cuts.filter((cut) => cut > shown && (stateAt(cut) === 'ended') !== cut >= whole);
    const unknown = cuts.filter((cut) => cut > shown && cut < whole && stateAt(cut) !== 'open');
    expect({ wrong, unknown }).toEqual({ wrong: [], unknown: [] });
  });
});
