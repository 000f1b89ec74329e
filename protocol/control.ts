import { isOutcome, type Outcome, type OutcomeError } from './outcomes.ts';
import { parseUsage, type Usage } from './usage.ts';

/** Names of the two SSE events of a live read. */
export const DATA_EVENT = 'data';
export const CONTROL_EVENT = 'control';

/** Value of `Upstream-State` and `upstreamState`: the head of the upstream's response is not known yet. */
export const PENDING = 'pending';

/** What precedes the body of the upstream's response. */
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

/**
 * Parses the data of a control event. A field of the wrong type counts as absent, so that a later server
 * version cannot break a reader.
 * @returns the event, or undefined if the data is not a JSON object.
 */
export function parseControlEvent(data: string): ControlEvent | undefined {
  try {
    const fields = JSON.parse(data) as Record<keyof ControlEvent, unknown>;
    const { streamNextOffset, streamCursor, upToDate, streamClosed, upstreamOutcome, upstreamError } = fields;
    if (typeof streamNextOffset !== 'string') return undefined;
    const upstreamHead = fields.upstreamHead as UpstreamHead | undefined;
    const upstreamUsage = parseUsage(fields.upstreamUsage);
    const { code, message } = (upstreamError ?? {}) as Partial<Record<keyof OutcomeError, unknown>>;
    return {
      streamNextOffset,
      ...(typeof streamCursor === 'string' && { streamCursor }),
      ...(upToDate === true && { upToDate }),
      ...(streamClosed === true && { streamClosed }),
      ...(fields.upstreamState === PENDING && { upstreamState: PENDING }),
      ...(upstreamHead && typeof upstreamHead.status === 'number' && { upstreamHead }),
      ...(isOutcome(upstreamOutcome) && { upstreamOutcome }),
      ...(typeof code === 'string' && typeof message === 'string' && { upstreamError: { code, message } }),
      ...(upstreamUsage && { upstreamUsage }),
    };
  } catch {
    // Not JSON, or `null`.
    return undefined;
  }
}
