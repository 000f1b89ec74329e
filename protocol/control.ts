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
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const raw = value as Record<string, unknown>;
  if (typeof raw['streamNextOffset'] !== 'string') return undefined;
  const error = raw['upstreamError'] as Record<string, unknown> | null | undefined;
  return {
    streamNextOffset: raw['streamNextOffset'],
    ...(typeof raw['streamCursor'] === 'string' && { streamCursor: raw['streamCursor'] }),
    ...(raw['upToDate'] === true && { upToDate: true }),
    ...(raw['streamClosed'] === true && { streamClosed: true }),
    ...(isOutcome(raw['upstreamOutcome']) && { upstreamOutcome: raw['upstreamOutcome'] }),
    ...(typeof error?.['code'] === 'string' &&
      typeof error['message'] === 'string' && {
        upstreamError: { code: error['code'], message: error['message'] },
      }),
  };
}
