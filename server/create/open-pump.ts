import type { Readable } from 'node:stream';
import type { Context } from '../context.ts';
import { UNREAD } from '../../protocol/outcomes.ts';
import { StoreError, type StreamEnd, type StreamInit } from '../store/types.ts';
import { createFormatReader } from '../formats/reader.ts';
import type { UpstreamResponse } from '../upstream/client.ts';
import { Pump, type PumpOptions } from '../pump/pump.ts';
import { sourceOf } from '../pump/source.ts';
import type { Recoverable } from '../recovery/recoveries.ts';
import { unreadTimeoutOf } from '../unread/timeout.ts';

/** Metadata of a stream that its process has released. */
const NO_OWNER = { owner: '' };

const NOT_READ: StreamEnd = Object.freeze({
  outcome: 'aborted',
  error: Object.freeze({ code: UNREAD, message: 'The answer was canceled: no client read it for too long' }),
});

/** Dependencies of a stream's pump. */
export type PumpContext = Pick<
  Context,
  | 'options'
  | 'store'
  | 'running'
  | 'quota'
  | 'recoveries'
  | 'processes'
  | 'readership'
  | 'closer'
  | 'liveReads'
  | 'bytePositions'
  | 'observers'
  | 'emit'
>;

export interface PumpedStream {
  readonly streamId: string;
  readonly subject: string | undefined;
  readonly metadata: StreamInit['metadata'];
  /** Called when the outcome is decided. */
  readonly onEnd?: () => void;
  /** Set for a stream that another process started. */
  readonly adopted?: Required<Pick<PumpOptions, 'fence' | 'storedBytes'>>;
}

/** The response of the upstream, once its head has arrived. */
export interface PumpSource {
  /** Undefined if the response belonged to another process. */
  readonly body: Readable | undefined;
  /** Header fields of the response, undefined if it belonged to another process. */
  readonly headers: UpstreamResponse['headers'] | undefined;
  /** How to continue the stream, if possible. */
  readonly recoverable: Recoverable | undefined;
}

export interface OpenedPump {
  readonly pump: Pump;
  /** Starts the pump with a 2xx response. From then on, the events of the stream are emitted. */
  start(source: PumpSource): void;
}

/** Creates the pump of an existing stream, and counts its bytes in the storage quota. */
export function openPump(
  context: PumpContext,
  { streamId, subject, metadata, onEnd, adopted }: PumpedStream,
): OpenedPump {
  const { options, store, running, quota, recoveries, processes, readership, closer, liveReads } = context;
  const { bytePositions, emit } = context;
  let startedAt = performance.now();
  let isStarted = false;
  let recoverable: Recoverable | undefined;
  const meter = quota.open(streamId, subject, adopted?.storedBytes);
  const pump: Pump = new Pump({
    streamId,
    store,
    maxBytes: options.maxResponseBytes,
    meter,
    lingerMs: options.upstreamLingerMs,
    fence: 0,
    ...adopted,
    giveUp: running.gaveUp,
    onAppend: context.observers.onAppend,
    onFirstByte: () => emit({ type: 'first-byte', streamId, subject, ms: performance.now() - startedAt }),
    countStored: async () => {
      const info = await store.head(streamId);
      if (!info) throw new StoreError('NOT_FOUND', 'The stream was deleted');
      if (info.fence !== undefined && info.fence !== pump.fence) throw fenced();
      return bytePositions.size(streamId, info);
    },
    close: async (end, last) => {
      const { fence, bytes } = pump;
      const isOurs = !recoverable || (await recoveries.storeEnd(streamId, end, fence));
      if (!isOurs) throw fenced();
      return closer.close({ streamId, metadata, end, bytes }, { last, fence, giveUp: running.gaveUp });
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
    if (pump.isReleased) {
      if (isStarted) emit({ type: 'released', streamId, subject });
      return;
    }
    if (recoverable) recoveries.cancelUpstream(recoverable, end);
    if (recoverable || options.webhook) processes.disown(streamId).catch(onLost);
    if (isStarted) {
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
      'could not store the owner of the stream; other processes find the stream through its readers',
    );
  };
  return {
    pump,
    start({ body, headers, recoverable: found }) {
      startedAt = performance.now();
      isStarted = true;
      recoverable = found;
      const isRead = options.completeness === 'auto' && headers !== undefined;
      const reader = isRead ? createFormatReader(headers) : undefined;
      if (!found) {
        if (body) pump.attach(sourceOf(body), reader);
        return;
      }
      pump.attach(recoveries.source(found, body, pump), reader);
      if (!store.adopt) return;
      processes.own(streamId).catch(onLost);
      pump.handOver = async () => {
        if (!(await pump.release())) return;
        await store.annotate?.(streamId, NO_OWNER, pump.fence).catch(onLost);
        // The readers reconnect to the process that continues the stream.
        liveReads.endOf(streamId);
      };
    },
  };
}

function fenced(): StoreError {
  return new StoreError('FENCED', 'Another process continues the stream');
}
