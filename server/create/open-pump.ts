import type { Readable } from 'node:stream';
import type { Context } from '../context.ts';
import type { StreamInit } from '../store/types.ts';
import { Pump, type PumpOptions } from '../pump/pump.ts';
import type { Recoverable } from '../recovery/recoveries.ts';

export interface PumpedStream {
  readonly streamId: string;
  readonly subject: string | undefined;
  readonly metadata: StreamInit['metadata'];
  /** Called when the end is decided. */
  readonly onEnd?: () => void;
  /** Of a stream that another process began. */
  readonly adopted?: Required<Pick<PumpOptions, 'fence' | 'storedBytes'>>;
}

/** What is known with the head of the upstream's response. */
export interface Answered {
  /** Undefined if the response belonged to another process. */
  readonly body: Readable | undefined;
  /** How the stream is continued, if it can be. */
  readonly recoverable: Recoverable | undefined;
}

export interface OpenedPump {
  readonly pump: Pump;
  /** Hands over a 2xx response, and tells listeners of the stream from then on. */
  answered(response: Answered): void;
}

/** Creates the pump of a stream that exists, with its share of the storage quota. */
export function openPump(
  context: Context,
  { streamId, subject, metadata, onEnd, adopted }: PumpedStream,
): OpenedPump {
  const { options, store, running, quota, recoveries, webhooks, emit } = context;
  let startedAt = performance.now();
  let isAnswered = false;
  let recoverable: Recoverable | undefined;
  const meter = quota.open(streamId, subject);
  const pump: Pump = new Pump({
    streamId,
    store,
    maxBytes: options.maxResponseBytes,
    meter,
    fence: 0,
    ...adopted,
    giveUp: running.gone,
    onFirstByte: () => emit({ type: 'first-byte', streamId, subject, ms: performance.now() - startedAt }),
    beforeClose(end) {
      const forgotten = recoverable && recoveries.forget(streamId);
      const closing = { streamId, metadata, end, bytes: pump.bytes };
      const announced = webhooks?.announceUntil(closing, running.gone);
      return forgotten && announced ? Promise.all([forgotten, announced]) : (forgotten ?? announced);
    },
    ...(onEnd && { onEnd }),
  });
  void pump.done.then((end) => {
    meter.close();
    const { bytes } = pump;
    const { outcome } = end;
    const durationMs = performance.now() - startedAt;
    if (recoverable) recoveries.stopped(recoverable, end);
    if (isAnswered) emit({ type: 'closed', streamId, subject, outcome, bytes, durationMs });
    options.logger.info({ streamId, outcome, bytes, durationMs: Math.round(durationMs) }, 'stream closed');
  });
  return {
    pump,
    answered({ body, recoverable: found }) {
      startedAt = performance.now();
      isAnswered = true;
      recoverable = found;
      if (found) pump.attach(recoveries.body(found, body, pump));
      else if (body) pump.attach(body);
    },
  };
}
