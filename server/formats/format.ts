import type { FormatName, Usage } from '../../protocol/usage.ts';
import type { SseEvent } from './sse-events.ts';

/** A JSON object from the wire. Every field has to be checked. */
export type Json = Readonly<Record<string, unknown>>;

/** An error that the provider sent as an event of its format. */
export interface ReportedError {
  /** The provider's code or type of error, such as `overloaded_error`, if it is a plain word. */
  readonly code?: string;
}

/** State of one answer according to its events. Formats write it, `FormatReader` exposes it. */
export interface Progress {
  /**
   * True if the answer has ended according to its format. In formats with several messages, text may follow; this is
   * then false again.
   */
  isEnded: boolean;
  /**
   * True if no later event can belong to the answer, so that the connection may be closed. Implies `isEnded`, or an
   * error.
   */
  isFinal: boolean;
  error: ReportedError | undefined;
  usage: { -readonly [Name in keyof Usage]?: Usage[Name] | undefined };
}

/** One answer of a recognized format. */
export interface AnswerParser {
  /**
   * Matches the bytes, read as latin1, of each event that must be passed to `take` from now on. Other events, most of
   * which contain a piece of text, may be skipped. Undefined if every event must be passed. Does not match across
   * lines.
   */
  readonly notable: RegExp | undefined;
  /** Takes each event of the answer, beginning with the one by which the format was recognized. */
  take(event: SseEvent): void;
  /** Updates `Progress.usage` with events whose parsing was deferred. Called before the usage is read. */
  parseDeferred?(): void;
}

/** Context of the event by which a format may be recognized. */
export interface Beginning {
  /** Header fields of the response, names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The event before, if there is one. */
  readonly previous: Json | undefined;
}

/** A streaming format of a provider. */
export interface Format {
  readonly name: FormatName;
  /** Returns true if an answer of this format begins with this event. No other format may begin with such an event. */
  begins(event: Json, beginning: Beginning): boolean;
  /** Matches the truncated data of a first event of this format, if they contain what `begins` checks. */
  readonly cutBeginning: RegExp;
  open(progress: Progress): AnswerParser;
}

/** Returns an expression that matches wherever one of the given expressions does. */
export function anyOf(...expressions: readonly RegExp[]): RegExp {
  return new RegExp(expressions.map(({ source }) => source).join('|'));
}

/** The data of an event that ends the stream in several formats. */
export const DONE = /\[DONE\]/;

/** Returns the value if it is a JSON object, else undefined. */
export function objectOf(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

/** Returns the objects of a list, none if it is not a list. */
export function objectsOf(value: unknown): Json[] {
  if (!Array.isArray(value)) return [];
  return value.map(objectOf).filter((each) => each !== undefined);
}

/**
 * Maximum length of a text that is kept from the provider. Three of them must fit into a header with each character
 * escaped.
 */
const MAX_TEXT = 200;

/** Returns the value if it is a non-empty text of at most 200 characters, else undefined. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT ? value : undefined;
}

/** Returns the value if it is a count, else undefined. */
export function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

/** Adds counts. Returns undefined if the first one is not known; the others count as 0 then. */
export function sumOf(first: unknown, ...others: unknown[]): number | undefined {
  const total = countOf(first);
  if (total === undefined) return undefined;
  return others.reduce<number>((sum, value) => sum + (countOf(value) ?? 0), total);
}

/**
 * Reads an error object. The provider's message is omitted: it may quote the request or a part of a key, and readers
 * receive it in the stream.
 */
export function reportedError(error: unknown): ReportedError {
  const { code, type, status } = objectOf(error) ?? {};
  const word = [code, type, status].find(
    (value): value is string => typeof value === 'string' && /^[\w.-]{1,64}$/.test(value),
  );
  return word === undefined ? {} : { code: word };
}
