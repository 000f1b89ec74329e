import type { StreamInfo } from '../store/types.ts';
import type { ClosedTask } from './task.ts';

/**
 * Returns the body of a `stream.closed` webhook. It is the same for all attempts, apart from the expiry of `readUrl`.
 * @param info state of the stream, or undefined if it was deleted or has expired.
 */
export function webhookBody(task: ClosedTask, info: StreamInfo | undefined, readUrl: string): string {
  const { streamId, closedAt, bytes, origin } = task;
  const { outcome, error, ...rest } = info?.end ?? task;
  return JSON.stringify({
    type: 'stream.closed',
    timestamp: new Date(closedAt).toISOString(),
    data: {
      streamId,
      key: origin.key ?? null,
      subject: origin.subject ?? null,
      outcome,
      error: error ?? null,
      bytes,
      durationMs: Math.max(0, closedAt - origin.startedAt),
      usage: ('usage' in rest && rest.usage) || null,
      readUrl: info ? readUrl : null,
    },
  });
}
