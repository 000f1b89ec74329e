import type { FormatName, Usage } from '../../protocol/usage.ts';
import { agUi } from './ag-ui.ts';
import { aiSdkUi } from './ai-sdk-ui.ts';
import { anthropicMessages } from './anthropic-messages.ts';
import type { AnswerParser, Beginning, Format, Json, Progress, ReportedError } from './format.ts';
import { geminiInteractions } from './gemini-interactions.ts';
import { gemini } from './gemini.ts';
import { openaiChat } from './openai-chat.ts';
import { openaiResponses } from './openai-responses.ts';
import { parseData, SseEvents, type SseEvent } from './sse-events.ts';

const ALL: readonly Format[] = [
  openaiChat,
  openaiResponses,
  anthropicMessages,
  gemini,
  geminiInteractions,
  aiSdkUi,
  agUi,
];

/**
 * Number of events within which a format must be recognized. Azure OpenAI starts with an event that has only filter
 * results.
 */
const MAX_FIRST_EVENTS = 8;

/**
 * Parses an answer while it arrives and reports its state according to its own format: whether it has ended, whether
 * the provider reported an error, and the usage.
 */
export interface FormatReader {
  /** Processes the next bytes of the answer, split anywhere. */
  push(chunk: Uint8Array): void;
  /** Format of the answer; undefined until it is recognized. */
  readonly format: FormatName | undefined;
  /**
   * State of the answer if its bytes ended here: `ended` if it is complete, `open` if more must follow, `unknown` if
   * the format was not recognized or an event was too long to be parsed. Too expensive to be read for each chunk.
   */
  readonly state: 'unknown' | 'open' | 'ended';
  /** True if nothing can follow in this answer, so that its connection may be closed. */
  readonly isFinal: boolean;
  /** The error that the provider sent as an event, if any. */
  readonly error: ReportedError | undefined;
  /** Usage reported so far; undefined if the format was not recognized. */
  readonly usage: Usage | undefined;
}

/**
 * Creates a reader for the body of a response.
 * @param headers the response's header fields, names in lower case.
 * @returns undefined if the body is not `text/event-stream`, which all formats are.
 */
export function createFormatReader(headers: Beginning['headers']): FormatReader | undefined {
  const isEvents = /^\s*text\/event-stream\s*(?:;|$)/i.test(headers['content-type'] ?? '');
  return isEvents ? new EventsReader(headers) : undefined;
}

class EventsReader implements FormatReader {
  readonly #headers: Beginning['headers'];
  readonly #events = new SseEvents((event) => this.#take(event));
  readonly #progress: Progress = { isEnded: false, isFinal: false, error: undefined, usage: {} };
  #format: FormatName | undefined;
  #answer: AnswerParser | undefined;
  #previous: Json | undefined;
  #unrecognized = 0;
  #isUnsure = false;

  constructor(headers: Beginning['headers']) {
    this.#headers = headers;
  }

  push(chunk: Uint8Array): void {
    // No format was recognized in the first events, so the rest is not parsed.
    if (this.#answer === undefined && this.#unrecognized === MAX_FIRST_EVENTS) return;
    this.#events.push(chunk, this.#answer?.notable);
  }

  get format(): FormatName | undefined {
    return this.#format;
  }

  get state(): 'unknown' | 'open' | 'ended' {
    if (this.#progress.isEnded) return 'ended';
    if (this.#isUnsure) return 'unknown';
    if (this.#format !== undefined) return 'open';
    const data = this.#unrecognized === 0 ? this.#events.partialData : '';
    return data !== '' && ALL.some(({ cutBeginning }) => cutBeginning.test(data)) ? 'open' : 'unknown';
  }

  get isFinal(): boolean {
    return this.#progress.isFinal;
  }

  get error(): ReportedError | undefined {
    return this.#progress.error;
  }

  get usage(): Usage | undefined {
    if (this.#format === undefined) return undefined;
    this.#answer?.parseDeferred?.();
    const known = Object.entries(this.#progress.usage).filter(([, value]) => value !== undefined);
    return { format: this.#format, ...Object.fromEntries(known) };
  }

  #take(event: SseEvent): void {
    if (this.#answer === undefined) this.#recognize(event);
    // The event was too long to be parsed, so it is unknown whether the answer has ended.
    if (event.data === undefined) this.#isUnsure = true;
    this.#answer?.take(event);
  }

  #recognize({ data }: SseEvent): void {
    if (this.#unrecognized === MAX_FIRST_EVENTS) return;
    this.#unrecognized += 1;
    const event = data === undefined ? undefined : parseData(data);
    const beginning = { headers: this.#headers, previous: this.#previous };
    this.#previous = event;
    const format = event && ALL.find((each) => each.begins(event, beginning));
    if (!format) return;
    this.#previous = undefined;
    this.#format = format.name;
    this.#answer = format.open(this.#progress);
  }
}
