import type { Coordinator, CoordinatorOptions } from '../coordination/types.ts';
import type { Outcome, OutcomeError } from '../../protocol/outcomes.ts';
import type { Usage } from '../../protocol/usage.ts';

/**
 * A place in a stream: opaque to all but its store, sortable as text, strictly increasing, under 256
 * characters, none of `, & = ? /` (base protocol, offsets). `OFFSET_START` ("-1") is accepted wherever an
 * offset is; `OFFSET_NOW` is resolved by the read path and never reaches a store.
 */
export type Offset = string;

/** How a stream ended, stored with its closing. `error` is there unless the outcome is `complete`. */
export interface StreamEnd {
  /** How the stream ended. */
  readonly outcome: Outcome;
  /** Error to report to readers. Undefined for `complete`. */
  readonly error?: OutcomeError;
  /** What the provider said about the answer. Absent if its format was not recognized, or its process died. */
  readonly usage?: Usage;
}

/** What a stream is created with. */
export interface StreamInit {
  /** Media type of the stored bytes, as the upstream named it. */
  readonly contentType: string;
  /** Seconds without a read or write after which the stream may vanish. Each of them restarts it; `head` does not. */
  readonly ttlSeconds: number;
  /** Small strings that the caller wants back from `head`, on every process and after every restart. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * True for a log that several processes write, one after the other: it stays open when a process ends, until its TTL is
   * over. Stores that any number of processes may use can ignore it. Default false.
   */
  readonly outlivesProcess?: boolean;
}

/**
 * Counts how often a stream was adopted: 0 after `create`, raised by one with each `adopt`. Whoever created or adopted
 * the stream writes with its fence; after another process has adopted the stream, those writes are refused.
 */
export type Fence = number;

/** What a store knows about a stream. */
export interface StreamInfo extends StreamInit {
  /** Offset just past the last readable byte. */
  readonly tail: Offset;
  /** The fence that writes are compared with. Absent if the store does not support fencing; a follower may omit it. */
  readonly fence?: Fence;
  /** There when the stream is closed. */
  readonly end?: StreamEnd;
}

/**
 * A run of bytes that a reader takes in one step. Frames of a live tail are shared by all readers of the
 * process, so that whoever encodes one may keep the encoding with it; nobody changes one.
 */
export interface Frame {
  /** Empty only with `end`, and where a plain `read` finds nothing new. */
  readonly bytes: Uint8Array;
  /** The offset behind these bytes. */
  readonly next: Offset;
  /** True when nothing readable came after this frame at the time it was made. */
  readonly upToDate: boolean;
  /** There when the stream is closed and `next` is its final offset: the last frame. */
  readonly end?: StreamEnd;
}

/**
 * A reader's hold on a stream, pulled without promises: call `next` until it gives undefined, then wait to
 * be told. That keeps a chunk's way to two hundred readers free of allocations, and lets a reader with a
 * full socket simply not pull.
 */
export interface Follower {
  /** The stream as it was when the follower opened. */
  readonly info: StreamInfo;
  /** The metadata now. Another object after each `annotate`, and only then. */
  readonly metadata: StreamInfo['metadata'];
  /**
   * The next frame, or undefined when there is none at hand: `onReadable` is then called once when there is
   * one, when the metadata changed, when the stream vanished, or when the store failed.
   * @throws StoreError `NOT_FOUND` when the stream was deleted or expired, `UNAVAILABLE` when the store failed.
   */
  next(): Frame | undefined;
  /** Lets go of everything. Idempotent; `onReadable` is not called afterwards. */
  stop(): void;
}

/**
 * Logs of bytes, each under an id. All stores pass the same contract suite.
 *
 * Ids are text of `[A-Za-z0-9_-]`, 1 to 128 characters, chosen by the proxy (never by a client).
 * Every method may reject with a `StoreError`: `NOT_FOUND`, `CLOSED`, `FENCED`, `INVALID_OFFSET`, or `UNAVAILABLE`
 * after the store's own bounded retries.
 */
export interface ByteStore {
  /**
   * Makes the store usable; called before anything else, and again without harm. A store that only one
   * process can hold closes what a dead process left open, as `interrupted`, before this resolves.
   */
  open(): Promise<void>;
  /**
   * Takes the id, atomically among all processes of the store: true when it is ours, false when it exists.
   * It may be on disk only with the first append or close: an append that resolved is durable with its stream.
   */
  create(id: string, init: StreamInit): Promise<boolean>;
  /**
   * Adds entries to the metadata of an open stream; an entry replaces an earlier one of the same name. Has no effect
   * on a closed stream. Resolves when `head` returns the entries, in every process. Followers are woken, those of
   * other processes within about a second. Without it, the proxy ignores `Prefer: respond-async` and continues no stream
   * whose upstream broke.
   * @param fence as for `append`. It is not compared on a closed stream.
   * @throws StoreError `FENCED` if another process has adopted the stream, whose metadata stay as the adopter left them.
   */
  annotate?(id: string, entries: Readonly<Record<string, string>>, fence?: Fence): Promise<void>;
  /**
   * Adds bytes at the end. Resolves when they are durable and readable; appends of one stream keep their order.
   * @param fence of the writer. Without it, the append is not compared with the stream's fence.
   * @throws StoreError `FENCED` if another process has adopted the stream; nothing was written.
   */
  append(id: string, bytes: Uint8Array, fence?: Fence): Promise<void>;
  /**
   * Adds the last bytes (if any) and closes, in one step. Idempotent: a stream that is closed stays as it
   * is, the bytes are dropped, and the end that stands is given back.
   * @param fence as for `append`. It is not compared on a stream that is closed already.
   * @throws StoreError `FENCED` if another process has adopted the stream, which stays open.
   */
  close(id: string, end: StreamEnd, last?: Uint8Array, fence?: Fence): Promise<StreamEnd>;
  /**
   * Takes an open stream over from its writer: raises the fence and adds entries to
   * the metadata as `annotate` does, in one step. Of several
   * processes that adopt with the same fence, one succeeds. A store without `adopt` cannot continue the stream of a
   * process that died; such streams are closed.
   *
   * @param fence that the caller saw in `head`.
   * @returns the new fence, for the caller's writes.
   * @throws StoreError `FENCED` if the fence is another one by now, `CLOSED`, `NOT_FOUND`.
   */
  adopt?(id: string, fence: Fence, entries: Readonly<Record<string, string>>): Promise<Fence>;
  /** Bytes from an offset, at most `maxBytes` (at least one byte where there is one). */
  read(id: string, offset: Offset, maxBytes: number): Promise<Frame>;
  /**
   * Returns the byte position that an offset of this store stands for, if offsets are positions. A store without
   * `positionOf` and `offsetAt` is read from its beginning for a byte range.
   */
  positionOf?(offset: Offset): number;
  /** Returns the offset of a byte position, the inverse of `positionOf`. */
  offsetAt?(position: number): Offset;
  /** Opens a follower from an offset. `maxBytes` bounds a frame. */
  follow(id: string, offset: Offset, onReadable: () => void, maxBytes?: number): Promise<Follower>;
  /** What the stream is, or undefined when there is none. Does not restart the TTL. */
  head(id: string): Promise<StreamInfo | undefined>;
  /** True when there was one. Its followers learn of it. */
  delete(id: string): Promise<boolean>;
  /** Flushes and lets go of everything. The store is not usable afterwards. */
  dispose(): Promise<void>;
}

/**
 * What the option `store` takes: the bytes and, as far as the store has operations for it that are better than logs, the
 * coordination of its processes.
 */
export interface StreamStore extends ByteStore {
  /**
   * Creates the coordinator of one proxy. Called once for each proxy, before `open`; used after it.
   * Default: a coordinator that keeps everything in logs of this store.
   */
  coordinate?(options: CoordinatorOptions): Coordinator;
}

/** The code of an error of a store. */
export type StoreErrorCode = 'NOT_FOUND' | 'CLOSED' | 'FENCED' | 'INVALID_OFFSET' | 'UNAVAILABLE';

/** Thrown by stores, with a code that says what happened. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  /** Kind of the failure. */
  readonly code: StoreErrorCode;

  /**
   * Also recognizes errors of another copy of this module: a bundler may make one for each route, and they share the
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
