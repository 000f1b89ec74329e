import type { FollowedStream, FollowInit } from '../core-client/types.ts';
import { whileVisible } from './while-visible.ts';

/** State of a stream, as the tabs of one browser send it to each other. */
export type ReportedStream = Pick<FollowedStream, 'streamId' | 'state' | 'eventId'>;

export interface DeviceFollowerOptions {
  /** Name of the lock and the channel: the same in all tabs that show the chat to the same user. */
  readonly name: string;
  readonly follow: (init: Pick<FollowInit, 'signal' | 'lastEventId'>) => AsyncIterable<FollowedStream>;
  /** Called in every tab for each report, except for the end of an answer that had ended before following began. */
  readonly onStream: (stream: ReportedStream) => void;
  /** Called when the page is visible. The signal aborts when it has been hidden for a while. */
  readonly onVisible: (signal: AbortSignal) => void;
  readonly onWarning: (error: Error) => void;
}

/**
 * Follows the answers of other devices over one connection for all tabs of a browser. The tab that holds the Web Lock
 * has the connection, and sends each event to the other tabs. A hidden tab releases the lock after a while. Without
 * locks or channels, each visible tab has its own connection.
 * @returns a function that ends following.
 */
export function followDevices(options: DeviceFollowerOptions): () => void {
  const { name, follow, onStream, onVisible, onWarning } = options;
  const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(name);
  // In Node, an open channel keeps the process alive. Browsers have no `unref`.
  (channel as { unref?: () => void } | undefined)?.unref?.();
  let lastEventId: string | undefined;

  const receive = (stream: ReportedStream) => {
    // The messages of the app already contain an answer that had ended before.
    const isOld = lastEventId === undefined && stream.state === 'closed';
    lastEventId = stream.eventId;
    if (!isOld) onStream(stream);
  };
  if (channel)
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (isReportedStream(data)) receive(data);
    };

  const lead = async (signal: AbortSignal) => {
    for await (const { streamId, state, eventId } of follow({ signal, lastEventId })) {
      const stream = { streamId, state, eventId };
      if (!signal.aborted) channel?.postMessage(stream);
      receive(stream);
    }
  };
  const stop = whileVisible((signal) => {
    const { locks } = (globalThis.navigator ?? {}) as Partial<Navigator>;
    onVisible(signal);
    const leading = locks && channel ? locks.request(name, { signal }, () => lead(signal)) : lead(signal);
    leading.catch((error: unknown) => {
      if (!signal.aborted) onWarning(error as Error);
    });
  });
  return () => {
    stop();
    channel?.close();
  };
}

/** Validates a message. Every script of the origin can write to channels. */
function isReportedStream(value: unknown): value is ReportedStream {
  if (typeof value !== 'object' || value === null) return false;
  const { streamId, state, eventId } = value as Record<string, unknown>;
  return (
    typeof streamId === 'string' &&
    typeof eventId === 'string' &&
    (state === 'pending' || state === 'open' || state === 'closed')
  );
}
