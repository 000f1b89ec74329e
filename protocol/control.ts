import type { Outcome, OutcomeError } from './outcomes.ts';
import type { Usage } from './usage.ts';

/** Names of the two SSE events of a live read. */
export const DATA_EVENT = 'data';
export const CONTROL_EVENT = 'control';

/** Name of a compact event whose data is base64. Compact events with text have no name. */
export const BASE64_EVENT = 'base64';

/** Value of `Upstream-State` and `upstreamState`: the head of the upstream's response is not known yet. */
export const PENDING = 'pending';

/** Status and headers of the upstream's response. */
export interface UpstreamHead {
  readonly status: number;
  readonly contentType?: string;
  /** Pairs of name and value, without `content-type`. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * JSON payload of a control event. The base protocol defines the first four fields. The others are extensions; the
 * last three are sent only in the last event of a closed stream. Readers ignore unknown fields.
 */
export interface ControlEvent {
  readonly streamNextOffset: string;
  readonly streamCursor?: string;
  readonly upToDate?: boolean;
  readonly streamClosed?: boolean;
  /** Only while the head is not known. */
  readonly upstreamState?: typeof PENDING;
  /** Only in the first event after the head became known. */
  readonly upstreamHead?: UpstreamHead;
  readonly upstreamOutcome?: Outcome;
  readonly upstreamError?: OutcomeError;
  readonly upstreamUsage?: Usage;
}

type Fields = Readonly<Record<string, unknown>>;
const isText = (value: unknown) => typeof value === 'string';
const isTrue = (value: unknown) => value === true;

/** Checks the type of each field's value. */
const CHECKS: Readonly<Record<keyof ControlEvent, (value: Fields | undefined) => boolean>> = {
  streamNextOffset: isText,
  streamCursor: isText,
  upToDate: isTrue,
  streamClosed: isTrue,
  upstreamState: (value: unknown) => value === PENDING,
  upstreamHead: (value) => typeof value?.status === 'number',
  // Later versions may add outcomes. Without one, a closed stream would count as complete.
  upstreamOutcome: isText,
  upstreamError: (value) => isText(value?.code) && isText(value?.message),
  upstreamUsage: (value) => value instanceof Object,
};

/**
 * Returns a control event with the given fields. A field of the wrong type counts as absent, so that a later server
 * version cannot break a reader.
 * @returns undefined without `streamNextOffset`.
 */
export function controlEventOf(fields: Fields): ControlEvent | undefined {
  const event: Partial<Record<string, unknown>> = {};
  for (const [name, isValid] of Object.entries(CHECKS))
    if (isValid(fields[name] as Fields)) event[name] = fields[name];
  return event.streamNextOffset === undefined ? undefined : (event as unknown as ControlEvent);
}

/**
 * Parses the data of a control event, as `controlEventOf`.
 * @returns the event, or undefined if the data is not a JSON object with `streamNextOffset`.
 */
export function parseControlEvent(data: string): ControlEvent | undefined {
  try {
    return controlEventOf(JSON.parse(data) as Fields);
  } catch {
    // Not JSON, or `null`.
    return undefined;
  }
}
