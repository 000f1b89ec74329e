import type { Readable } from 'node:stream';
import type { Context } from '../context.ts';
import { UNREAD } from '../../protocol/outcomes.ts';
import { StoreError, type StreamEnd, type StreamInit } from '../store/types.ts';
import { createFormatReader } from '../formats/reader.ts';
import type { UpstreamAnswer } from '../upstream/client.ts';
import { Pump, type PumpOptions } from '../pump/pump.ts';
import type { Recoverable } from '../recovery/recoveries.ts';
import { unreadTimeoutOf } from '../unread/timeout.ts';

/** Metadata of a stream that its process has released. */
const NO_OWNER = { owner: '' };

const NOT_READ: StreamEnd = Object.freeze({
  outcome: 'aborted',
  error: Object.freeze({ code: UNREAD, message: 'The answer was canceled: nobody read it for too long' }),
});

export interface PumpedStream {
  readonly streamId: string;
  readonly subject: string | undefined;
  readonly metadata: StreamInit['metadata'];
  /** Called when the outcome is decided. */
  readonly onEnd?: () => void;
  /** Set for a stream that another process started. */
  readonly adopted?: Required<Pick<PumpOptions, 'fence' | 'storedBytes'>>;
}

/** Values that are known once the upstream's head has arrived. */
export interface Answered {
  /** Undefined if the response belonged to another process. */
  readonly body: Readable | undefined;
  /** Header fields of the response, undefined if it belonged to another process. */
  readonly headers: UpstreamAnswer['headers'] | undefined;
  /** How to continue the stream, if possible. */
  readonly recoverable: Recoverable | undefined;
}

export interface OpenedPump {
  readonly pump: Pump;
  /** Attaches a 2xx response. From then on, the events of the stream are emitted. */
  answered(response: Answered): void;
}

function onAppendOf({ onAppend, telemetry }: Context['options']): ((ms: number) => void) | undefined {
  if (!telemetry || !onAppend) return onAppend ?? telemetry?.onAppend;
  return (ms) => {
    telemetry.onAppend(ms);
    onAppend(ms);
  };
}

/** Creates the pump of an existing stream, and counts it in the storage quota. */
export function openPump(
  context: Context,
  { streamId, subject, metadata, onEnd, adopted }: PumpedStream,
): OpenedPump {
  const { options, store, running, quota, recoveries, processes, readership, closer, liveReads, emit } =
    context;
  let startedAt = performance.now();
  let isAnswered = false;
  let recoverable: Recoverable | undefined;
  const meter = quota.open(streamId, subject);
  const pump: Pump = new Pump({
    streamId,
    store,
    maxBytes: options.maxResponseBytes,
    meter,
    lingerMs: options.upstreamLingerMs,
    fence: 0,
    ...adopted,
    giveUp: running.gone,
    onAppend: onAppendOf(options),
    onFirstByte: () => emit({ type: 'first-byte', streamId, subject, ms: performance.now() - startedAt }),
    close: async (end, last) => {
      const { fence, bytes } = pump;
      const isOurs = !recoverable || (await recoveries.forget(streamId, end, fence));
      if (!isOurs) throw new StoreError('FENCED', 'Another process continues the stream');
      return closer.close({ streamId, metadata, end, bytes }, { last, fence, giveUp: running.gone });
    },
    ...(onEnd && { onEnd }),
  });
  const timeoutMs = unreadTimeoutOf(metadata);
  const unwatch =
    timeoutMs !== undefined &&
    readership.watch(streamId, timeoutMs, () => {
      emit({ type: 'aborted', streamId, subject, by: 'unread' });
      void pump.stop(NOT_READ);
    });
  void pump.done.then((end) => {
    if (unwatch) unwatch();
    meter.close();
    const { bytes } = pump;
    const { outcome, usage } = end;
    const durationMs = performance.now() - startedAt;
    // The process that continues the stream emits its end.
    if (pump.isReleased) return;
    if (recoverable) recoveries.stopped(recoverable, end);
    if (recoverable || options.webhook) processes.disown(streamId).catch(onLost);
    if (isAnswered) {
      emit({
        type: 'closed',
        streamId,
        subject,
        outcome,
        bytes,
        durationMs,
        ...(usage && { usage }),
      });
    }
    options.logger.info({ streamId, outcome, bytes, durationMs: Math.round(durationMs) }, 'stream closed');
  });
  const onLost = (err: unknown): void => {
    options.logger.warn(
      { err, streamId },
      'could not store that the stream has no owner; other processes find it by its readers',
    );
  };
  return {
    pump,
    answered({ body, headers, recoverable: found }) {
      startedAt = performance.now();
      isAnswered = true;
      recoverable = found;
      const isRead = options.completeness === 'auto' && headers !== undefined;
      const reader = isRead ? createFormatReader(headers) : undefined;
      if (!found) {
        if (body) pump.attach(body, reader);
        return;
      }
      pump.attach(recoveries.body(found, body, pump), reader);
      if (!store.adopt) return;
      processes.own(streamId).catch(onLost);
      pump.handOver = async () => {
        if (!(await pump.release())) return;
        await store.annotate?.(streamId, NO_OWNER, pump.fence).catch(onLost);
        // They come back at the process that continues it.
        liveReads.endOf(streamId);
      };
    },
  };
}
