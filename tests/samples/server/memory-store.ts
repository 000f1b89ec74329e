import { setTimeout as delay } from 'node:timers/promises';
import {
  StoreError,
  type Follower,
  type Frame,
  type StreamEnd,
  type StreamInfo,
  type StreamInit,
  type StreamStore,
} from 'durable-proxy';

interface Log extends StreamInit {
  bytes: Buffer;
  end?: StreamEnd;
  expiresAt: number;
  /** The newest frame. Readers at the same position share it. */
  shared?: { readonly at: number; readonly maxBytes: number; readonly frame: Frame };
  readonly wake: Set<() => void>;
}

/** Streams in memory. Offsets are positions with 16 digits, so that they sort as text. */
export class MemoryStore implements StreamStore {
  readonly #logs: Map<string, Log>;
  readonly #followed = new Set<() => void>();
  #isOpen = false;
  #isDisposed = false;

  constructor(logs = new Map<string, Log>()) {
    this.#logs = logs;
  }

  async open(): Promise<void> {
    if (!this.#isDisposed) this.#isOpen = true;
  }

  async create(id: string, init: StreamInit): Promise<boolean> {
    if (this.#find(id)) return false;
    this.#logs.set(id, { ...init, bytes: Buffer.alloc(0), expiresAt: 0, wake: new Set() });
    this.#use(id);
    return true;
  }

  async append(id: string, bytes: Uint8Array): Promise<void> {
    const log = this.#use(id);
    if (log.end) throw new StoreError('CLOSED', 'The stream is closed');
    log.bytes = Buffer.concat([log.bytes, bytes]);
    delete log.shared;
    for (const wake of log.wake) wake();
  }

  async close(id: string, end: StreamEnd, last: Uint8Array = Buffer.alloc(0)): Promise<StreamEnd> {
    const log = this.#use(id);
    if (!log.end) {
      log.bytes = Buffer.concat([log.bytes, last]);
      log.end = end;
      delete log.shared;
      for (const wake of log.wake) wake();
    }
    return log.end;
  }

  async read(id: string, offset: string, maxBytes: number): Promise<Frame> {
    const log = this.#use(id);
    return frameOf(log, positionOf(offset, log), Math.max(1, maxBytes));
  }

  async follow(id: string, offset: string, onReadable: () => void, maxBytes = 65_536): Promise<Follower> {
    const log = this.#use(id);
    let at = positionOf(offset, log);
    let isAsked = false;
    let isOver = false;
    const wake = (): void => {
      if (isAsked) setImmediate(() => log.wake.has(wake) && notify(onReadable));
      isAsked = false;
    };
    log.wake.add(wake);
    this.#followed.add(wake);
    return {
      info: infoOf(log),
      metadata: log.metadata,
      next: () => {
        if (this.#isDisposed) throw new StoreError('UNAVAILABLE', 'The store was disposed of');
        if (this.#find(id) !== log) throw new StoreError('NOT_FOUND', 'There is no such stream');
        if (!log.wake.has(wake)) return undefined;
        if (isOver || (at === log.bytes.length && !log.end)) {
          isAsked = !isOver;
          return undefined;
        }
        const frame = frameOf(log, at, Math.max(1, maxBytes));
        at += frame.bytes.length;
        isOver = frame.end !== undefined;
        return frame;
      },
      stop: () => void log.wake.delete(wake),
    };
  }

  async head(id: string): Promise<StreamInfo | undefined> {
    const log = this.#find(id);
    return log && infoOf(log);
  }

  async delete(id: string): Promise<boolean> {
    const log = this.#find(id);
    this.#logs.delete(id);
    for (const wake of log?.wake ?? []) wake();
    return log !== undefined;
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    for (const wake of this.#followed) wake();
  }

  #find(id: string): Log | undefined {
    if (!this.#isOpen || this.#isDisposed) throw new StoreError('UNAVAILABLE', 'The store is not open');
    const log = this.#logs.get(id);
    return log && log.expiresAt > Date.now() ? log : undefined;
  }

  /** Returns a stream that exists, and restarts its TTL. */
  #use(id: string): Log {
    const log = this.#logs.get(id);
    if (!log || (log.expiresAt > 0 && !this.#find(id))) {
      this.#find(id);
      throw new StoreError('NOT_FOUND', 'There is no such stream');
    }
    log.expiresAt = Date.now() + log.ttlSeconds * 1_000;
    void delay(log.ttlSeconds * 1_000 + 10, undefined, { ref: false }).then(() => {
      if (log.expiresAt > Date.now()) return;
      if (this.#logs.get(id) === log) this.#logs.delete(id);
      for (const wake of log.wake) wake();
    });
    return log;
  }
}

function infoOf({ contentType, ttlSeconds, metadata, bytes, end }: Log): StreamInfo {
  return { contentType, ttlSeconds, metadata, tail: offsetOf(bytes.length), ...(end && { end }) };
}

function frameOf(log: Log, at: number, maxBytes: number): Frame {
  const { shared } = log;
  if (shared?.at === at && shared.maxBytes === maxBytes) return shared.frame;
  const bytes = log.bytes.subarray(at, at + maxBytes);
  const next = at + bytes.length;
  const upToDate = next === log.bytes.length;
  const end = upToDate && log.end && { end: log.end };
  const frame = { bytes, next: offsetOf(next), upToDate, ...end };
  log.shared = { at, maxBytes, frame };
  return frame;
}

/** An exception of a reader must neither reach other readers nor end the process. */
function notify(onReadable: () => void): void {
  try {
    onReadable();
  } catch (error) {
    process.emitWarning(String(error));
  }
}

const offsetOf = (position: number): string => String(position).padStart(16, '0');

function positionOf(offset: string, { bytes }: Log): number {
  if (offset === '-1') return 0;
  const position = /^\d{16}$/.test(offset) ? Number(offset) : Infinity;
  if (position > bytes.length) throw new StoreError('INVALID_OFFSET', 'The offset is not of this stream');
  return position;
}
