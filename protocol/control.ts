import { isOutcome, type Outcome, type OutcomeError } from './outcomes.ts';

/** Names of the two SSE events of a live read. */
export const DATA_EVENT = 'data';
export const CONTROL_EVENT = 'control';

/**
 * The JSON of a control event. The first four fields are the base protocol's; the last two are ours and
 * stand only in the last event of a closed stream. Readers ignore fields that they do not know.
 */
export interface ControlEvent {
  readonly streamNextOffset: string;
  readonly streamCursor?: string;
  readonly upToDate?: boolean;
  readonly streamClosed?: boolean;
  readonly upstreamOutcome?: Outcome;
  readonly upstreamError?: OutcomeError;
}

/**
 * Reads a control event's data. Gives undefined for what is no control event; a field of a wrong type
 * counts as absent, so that a later version of a server cannot break a reader.
 */
export function parseControlEvent(data: string): ControlEvent | undefined {
  try {
    const { streamNextOffset, streamCursor, upToDate, streamClosed, upstreamOutcome, upstreamError } =
      JSON.parse(data) as Record<keyof ControlEvent, unknown>;
    if (typeof streamNextOffset !== 'string') return undefined;
    const { code, message } = (upstreamError ?? {}) as Partial<Record<keyof OutcomeError, unknown>>;
    return {
      streamNextOffset,
      ...(typeof streamCursor === 'string' && { streamCursor }),
      ...(upToDate === true && { upToDate }),
      ...(streamClosed === true && { streamClosed }),
      ...(isOutcome(upstreamOutcome) && { upstreamOutcome }),
      ...(typeof code === 'string' && typeof message === 'string' && { upstreamError: { code, message } }),
    };
  } catch {
    // Not JSON, or `null`.
    return undefined;
  }
}
