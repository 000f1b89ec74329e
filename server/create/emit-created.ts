import type { Context } from '../context.ts';
import type { BeginOptions } from './begin-options.ts';
import { loggableTarget, type UpstreamTarget } from './prepare.ts';

/**
 * Emits the event of a new stream.
 * @param headersMs milliseconds until the upstream's headers arrived.
 */
export function emitCreated(
  { emit }: Pick<Context, 'emit'>,
  { streamId, caller, request: { idempotencyKey, streamKey } }: BeginOptions,
  target: UpstreamTarget,
  headersMs: number,
): void {
  emit({
    type: 'created',
    streamId,
    subject: caller?.subject,
    upstream: loggableTarget(target),
    headersMs,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(streamKey !== undefined && { streamKey }),
  });
}
