/** Name of the SSE events that the follower of a name receives: `GET {base}?key={name}&live=sse`. */
export const STREAM_EVENT = 'stream';

/** State of a stream: `pending` until the upstream has responded, then `open`, then `closed`. */
export type StreamState = 'pending' | 'open' | 'closed';

/** Data of a `stream` event. */
export interface StreamEvent {
  /** Fresh signed URL of the stream, absolute or relative to the URL of the request. */
  readonly location: string;
  readonly streamId: string;
  readonly state: StreamState;
  /** How the stream ended. Present if it is closed. Later versions may add outcomes. */
  readonly outcome?: string;
  /** Media type that the upstream sent. Absent if it sent none, and while it has not responded. */
  readonly upstreamContentType?: string;
}
