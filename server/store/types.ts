import type { Coordinator, CoordinatorOptions } from '../coordination/types.ts';
import type { Outcome, OutcomeError } from '../../protocol/outcomes.ts';
import type { Usage } from '../../protocol/usage.ts';

/**
 * Position in a stream. Opaque to everything except the store that issued it, strictly increasing when sorted as text,
 * shorter than 256 characters, without `, & = ? /` (base protocol, offsets). `OFFSET_START` ("-1") is accepted wherever
 * an offset is. `OFFSET_NOW` is resolved by the read path and is never passed to a store.
 */
export type Offset = string;

/** How a stream ended, stored when it is closed. `error` is set unless the outcome is `complete`. */
export interface StreamEnd {
  /** How the stream ended. */
  readonly outcome: Outcome;
  /** Error to report to readers. Undefined for `complete`. */
  readonly error?: OutcomeError;
  /**
   * Model and token usage that the provider reported. Undefined if its format was not recognized, or if its process
   * died.
   */
  readonly usage?: Usage;
}

/** Properties of a new stream. */
export interface StreamInit {
  /** Media type of the stored bytes, as the upstream named it. */
  readonly contentType: string;
  /**
   * Seconds without a read or write after which the stream may expire. Each read or write restarts the TTL; `head` does
   * not.
   */
  readonly ttlSeconds: number;
  /** Small strings that `head` returns, in every process and after every restart. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * True for a log that several processes write, one after the other. It stays open when a process ends, until its TTL
   * expires. Stores that any number of processes can use may ignore it. Default false.
   */
  readonly outlivesProcess?: boolean;
  /**
   * True for a log that other processes append to while the creator may read it. A store must then look for bytes that
   * it has not written itself. Default false: only the process that created or adopted the stream appends.
   */
  readonly hasManyWriters?: boolean;
}

/**
 * Number of times that the stream was adopted: 0 after `create`, raised by one with each `adopt`. The process that
 * created or adopted the stream writes with its fence. After another process has adopted the stream, those writes are
 * rejected.
 */
export type Fence = number;

/** State of a stream in its store. */
export interface StreamInfo extends StreamInit {
  /** Offset just past the last readable byte. */
  readonly tail: Offset;
  /**
   * The fence that writes are compared with. Undefined if the store does not support fencing; a follower may omit it.
   */
  readonly fence?: Fence;
  /** Set once the stream is closed. */
  readonly end?: StreamEnd;
}

/**
 * Consecutive bytes of a stream, which a reader receives in one step. All readers of a process share the frames of a
 * live tail, so an encoding may be cached with its frame. A frame must not be changed.
 */
export interface Frame {
  /** Empty only with `end`, and if a plain `read` finds nothing new. */
  readonly bytes: Uint8Array;
  /** Offset just past these bytes. */
  readonly next: Offset;
  /** True if nothing readable came after this frame when it was created. */
  readonly upToDate: boolean;
  /** Set if the stream is closed and `next` is its final offset: this is the last frame. */
  readonly end?: StreamEnd;
}

/**
 * Reads one stream for one reader. Call `next` until it returns `undefined`, then wait for `onReadable`. Pulling
 * without promises allocates nothing per reader and chunk, and applies backpressure: a reader with a full socket does
 * not call `next`.
 */
export interface Follower {
  /** The stream when the follower opened. */
  readonly info: StreamInfo;
  /** The current metadata. Each `annotate` replaces the object; nothing else does. */
  readonly metadata: StreamInfo['metadata'];
  /**
   * Returns the next frame, or `undefined` if none is buffered. In that case `onReadable` is called once: when a frame
   * arrives, the metadata change, the stream is deleted or expires, or the store fails.
   * @throws StoreError `NOT_FOUND` if the stream was deleted or has expired, `UNAVAILABLE` if the store failed.
   */
  next(): Frame | undefined;
  /** Releases all resources. Idempotent. `onReadable` is not called afterwards. */
  stop(): void;
}

/**
 * Stores append-only logs of bytes, each under an id. All stores pass the same contract suite.
 *
 * Ids are text of `[A-Za-z0-9_-]`, 1 to 128 characters, chosen by the proxy (never by a client). Every method may
 * reject with a `StoreError`: `NOT_FOUND`, `CLOSED`, `FENCED`, `INVALID_OFFSET`, or `UNAVAILABLE` after the store's own
 * bounded retries.
 */
export interface ByteStore {
  /**
   * Opens the store. Called before any other method; may be called again without effect. A store that only one
   * process can open closes the streams that a dead process left open, as `interrupted`, before this resolves.
   */
  open(): Promise<void>;
  /**
   * Creates a stream under an id, atomically among all processes of the store. The stream may become durable only with
   * its first append or close: an append that resolved is durable together with its stream.
   * @param id id of the stream.
   * @param init content type, TTL and metadata of the stream.
   * @returns true if this call created the stream, false if the id exists.
   */
  create(id: string, init: StreamInit): Promise<boolean>;
  /**
   * Adds entries to the metadata of an open stream; an entry replaces an earlier one of the same name. Has no effect on
   * a closed stream. Resolves when `head` returns the entries, in every process. Wakes followers, those of other
   * processes within about a second. If a store lacks it, the proxy ignores `Prefer: respond-async` and does not
   * continue a stream whose upstream failed.
   * @param id id of the stream.
   * @param entries names and values to add.
   * @param fence as for `append`. It is not compared on a closed stream.
   * @throws StoreError `FENCED` if another process has adopted the stream; the adopter's metadata are kept.
   */
  annotate?(id: string, entries: Readonly<Record<string, string>>, fence?: Fence): Promise<void>;
  /**
   * Appends bytes. Resolves when they are durable and readable. Appends of one stream keep their order.
   * @param id id of the stream.
   * @param bytes bytes to append. The caller does not change them afterwards.
   * @param fence fence of the writer. Without it, the append is not compared with the stream's fence. If the owner of
   *   a stream writes with a fence, other processes must not append without one.
   * @throws StoreError `FENCED` if another process has adopted the stream; nothing was written.
   */
  append(id: string, bytes: Uint8Array, fence?: Fence): Promise<void>;
  /**
   * Appends the last bytes (if any) and closes the stream, in one step. Idempotent: if the stream is already closed, it
   * does not change, and the bytes are dropped.
   * @param id id of the stream.
   * @param end outcome of the stream, and its error if it has one.
   * @param last bytes to append before the stream is closed.
   * @param fence as for `append`. It is not compared on a stream that is already closed.
   * @returns the end that is stored.
   * @throws StoreError `FENCED` if another process has adopted the stream, which stays open.
   */
  close(id: string, end: StreamEnd, last?: Uint8Array, fence?: Fence): Promise<StreamEnd>;
  /**
   * Adopts an open stream from its writer: raises the fence and adds entries to the metadata as `annotate` does, in
   * one step. Of several processes that adopt with the same fence, one succeeds. Without `adopt`, the proxy closes
   * the streams of a process that died instead of continuing them.
   *
   * @param id id of the stream.
   * @param fence fence that `head` returned to the caller.
   * @param entries names and values to add.
   * @returns the new fence, for the caller's writes.
   * @throws StoreError `FENCED` if the fence has changed since, `CLOSED`, `NOT_FOUND`.
   */
  adopt?(id: string, fence: Fence, entries: Readonly<Record<string, string>>): Promise<Fence>;
  /**
   * Returns bytes from an offset: at most `maxBytes`, and at least one byte if there is one.
   * @param id id of the stream.
   * @param offset position to read from: `-1` for the beginning, or an offset of this stream.
   * @param maxBytes maximum number of bytes to return.
   */
  read(id: string, offset: Offset, maxBytes: number): Promise<Frame>;
  /**
   * Returns the byte position of an offset of this store, if offsets are positions. For a byte range, the proxy reads a
   * store without `positionOf` and `offsetAt` from the beginning of the stream.
   * @param offset an offset that this store has returned.
   */
  positionOf?(offset: Offset): number;
  /**
   * Returns the offset of a byte position, the inverse of `positionOf`.
   * @param position number of bytes before the position.
   */
  offsetAt?(position: number): Offset;
  /**
   * Opens a follower from an offset. `maxBytes` bounds a frame.
   * @param id id of the stream.
   * @param offset position to read from, as for `read`.
   * @param onReadable called once after `next` returned `undefined`, when calling it again is worthwhile.
   * @param maxBytes maximum number of bytes in a frame.
   */
  follow(id: string, offset: Offset, onReadable: () => void, maxBytes?: number): Promise<Follower>;
  /**
   * Returns the state of a stream, or undefined if it does not exist. Does not restart the TTL.
   * @param id id of the stream.
   */
  head(id: string): Promise<StreamInfo | undefined>;
  /**
   * Deletes a stream and notifies its followers.
   * @param id id of the stream.
   * @returns true if the stream existed.
   */
  delete(id: string): Promise<boolean>;
  /** Flushes pending writes and releases all resources. The store cannot be used afterwards. */
  dispose(): Promise<void>;
}

/**
 * Type of the option `store`: the byte store, and optionally a coordinator for its processes. Provide one if the store
 * has better operations for it than logs.
 */
export interface StreamStore extends ByteStore {
  /**
   * Creates the coordinator of one proxy. Called once for each proxy, before `open`; used after it. Default: a
   * coordinator that keeps everything in logs of this store.
   * @param options logger of the proxy, and how long claims and names are kept.
   */
  coordinate?(options: CoordinatorOptions): Coordinator;
  /** Describes the store for operators. Called at most every few seconds, and only while the page of an inspector is open. */
  describe?(): Promise<StoreDescription>;
}

/** Description of a store for operators. */
export interface StoreDescription {
  /** Short name, such as `redis`. */
  readonly kind: string;
  /** Bytes that the store occupies, if it can determine them. */
  readonly bytes?: number;
}

/** Code of a store error. */
export type StoreErrorCode = 'NOT_FOUND' | 'CLOSED' | 'FENCED' | 'INVALID_OFFSET' | 'UNAVAILABLE';

/** Thrown by stores. The code identifies the failure. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  /** Kind of the failure. */
  readonly code: StoreErrorCode;

  /**
   * Also recognizes errors of another copy of this module: a bundler may create one for each route, and they share the
   * embedded store.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'StoreError' && 'code' in value;
  }

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
