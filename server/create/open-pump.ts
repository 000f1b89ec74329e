import type { Readable } from 'node:stream';
import type { Context } from '../context.ts';
import { Pump } from '../pump/pump.ts';

export interface PumpedStream {
  readonly streamId: string;
  readonly subject: string | undefined;
  /** Called when the end is decided. */
  readonly onEnd?: () => void;
}

export interface OpenedPump {
  readonly pump: Pump;
  /**
   * Hands over the body of a 2xx response, and tells listeners of the stream from then on.
   * @param upstream origin and path of the upstream.
   * @param headersMs milliseconds that the upstream took.
   */
  answered(body: Readable, upstream: string, headersMs: number): void;
}

/** Creates the pump of a stream that exists, with its share of the storage quota. */
export function openPump(context: Context, { streamId, subject, onEnd }: PumpedStream): OpenedPump {
  const { options, store, running, quota, emit } = context;
  let startedAt = performance.now();
  let isAnswered = false;
  const meter = quota.open(streamId, subject);
  const pump = new Pump({
    streamId,
    store,
    maxBytes: options.maxResponseBytes,
    meter,
    giveUp: running.gone,
    onFirstByte: () => emit({ type: 'first-byte', streamId, subject, ms: performance.now() - startedAt }),
    ...(onEnd && { onEnd }),
  });
  void pump.done.then(({ outcome }) => {
    meter.close();
    const { bytes } = pump;
    const durationMs = performance.now() - startedAt;
    if (isAnswered) emit({ type: 'closed', streamId, subject, outcome, bytes, durationMs });
    options.logger.info({ streamId, outcome, bytes, durationMs: Math.round(durationMs) }, 'stream closed');
  });
  return {
    pump,
    answered(body, upstream, headersMs) {
      startedAt = performance.now();
      isAnswered = true;
      emit({ type: 'created', streamId, subject, upstream, headersMs });
      pump.attach(body);
    },
  };
}
