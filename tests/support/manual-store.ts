import {
  StoreError,
  type Fence,
  type Follower,
  type Frame,
  type StreamEnd,
  type StreamInfo,
  type StreamInit,
  type StreamStore,
} from '../../server/store/types.ts';

interface Log {
  init: StreamInit;
  fence: Fence;
  bytes: Buffer;
  end?: StreamEnd;
  isDeleted: boolean;
  readonly wake: Set<() => void>;
}

/** One operation that was called and has not run yet. */
export interface HeldOperation {
  readonly name: keyof StreamStore;
  readonly id: string;
  /** Runs the operation and resolves its promise. */
  run(): void;
  /** Rejects the promise without running the operation. */
  fail(error: Error): void;
}

/**
 * A store in memory whose operations a test can hold back and let through one by one, so that it decides the order
 * in which two processes reach the store.
 */
export class ManualStore implements StreamStore {
  readonly logs: Map<string, Log>;
  /** Operations that wait, oldest first. */
  readonly held: HeldOperation[] = [];
  /** Names of all operations that were called, with the id. */
  readonly calls: string[] = [];
  /** Decides which operations wait. Default: none. */
  holds: (name: keyof StreamStore, id: string) => boolean = () => false;
  #onHeld: (() => void) | undefined;

  /** @param logs those of another store, which another process has then. */
  constructor(logs = new Map<string, Log>()) {
    this.logs = logs;
  }

  /** Runs all operations that wait, and holds none from then on. */
  letGo(): void {
    this.holds = () => false;
    for (const operation of this.held.splice(0)) operation.run();
  }

  /** Resolves with the oldest waiting operation, as soon as there is one, and removes it from the queue. */
  async nextHeld(): Promise<HeldOperation> {
    while (this.held.length === 0) await new Promise<void>((resolve) => (this.#onHeld = resolve));
    return this.held.shift()!;
  }

  open(): Promise<void> {
    return Promise.resolve();
  }
  dispose(): Promise<void> {
    return Promise.resolve();
  }

  create(id: string, init: StreamInit): Promise<boolean> {
    return this.#do('create', id, () => {
      if (this.logs.has(id)) return false;
      this.logs.set(id, { init, bytes: Buffer.alloc(0), fence: 0, isDeleted: false, wake: new Set() });
      return true;
    });
  }

  annotate(id: string, entries: Readonly<Record<string, string>>, fence?: Fence): Promise<void> {
    return this.#do('annotate', id, () => {
      const log = this.#log(id);
      if (log.end) return;
      checkFence(log, fence);
      log.init = { ...log.init, metadata: { ...log.init.metadata, ...entries } };
      for (const wake of log.wake) wake();
    });
  }

  append(id: string, bytes: Uint8Array, fence?: Fence): Promise<void> {
    return this.#do('append', id, () => {
      const log = this.#log(id);
      if (log.end) throw new StoreError('CLOSED', id);
      checkFence(log, fence);
      log.bytes = Buffer.concat([log.bytes, bytes]);
      for (const wake of log.wake) wake();
    });
  }

  close(id: string, end: StreamEnd, last: Uint8Array = Buffer.alloc(0), fence?: Fence): Promise<StreamEnd> {
    return this.#do('close', id, () => {
      const log = this.#log(id);
      if (!log.end) {
        checkFence(log, fence);
        log.bytes = Buffer.concat([log.bytes, last]);
        log.end = end;
        for (const wake of log.wake) wake();
      }
      return log.end;
    });
  }

  adopt(id: string, fence: Fence, entries: Readonly<Record<string, string>>): Promise<Fence> {
    return this.#do('adopt', id, () => {
      const log = this.#log(id);
      if (log.end) throw new StoreError('CLOSED', id);
      checkFence(log, fence);
      log.init = { ...log.init, metadata: { ...log.init.metadata, ...entries } };
      return (log.fence += 1);
    });
  }

  read(id: string, offset: string, maxBytes: number): Promise<Frame> {
    return this.#do('read', id, () => frameOf(this.#log(id), positionOf(offset), maxBytes));
  }

  head(id: string): Promise<StreamInfo | undefined> {
    return this.#do('head', id, () => {
      const log = this.logs.get(id);
      if (!log) return undefined;
      const { init, fence, bytes, end } = log;
      return { ...init, fence, tail: offsetOf(bytes.length), ...(end && { end }) };
    });
  }

  delete(id: string): Promise<boolean> {
    return this.#do('delete', id, () => {
      const log = this.logs.get(id);
      if (!log) return false;
      log.isDeleted = true;
      this.logs.delete(id);
      for (const wake of log.wake) wake();
      return true;
    });
  }

  follow(id: string, offset: string, onReadable: () => void, maxBytes = 8_192): Promise<Follower> {
    return this.#do('follow', id, () => {
      const log = this.#log(id);
      let at = positionOf(offset);
      let isAsked = false;
      let isOver = false;
      const wake = () => {
        if (!isAsked) return;
        isAsked = false;
        queueMicrotask(onReadable);
      };
      log.wake.add(wake);
      return {
        info: { ...log.init, tail: offsetOf(log.bytes.length) },
        get metadata() {
          return log.init.metadata;
        },
        stop: () => void log.wake.delete(wake),
        next: () => {
          if (log.isDeleted) throw new StoreError('NOT_FOUND', id);
          if (isOver) return undefined;
          if (at >= log.bytes.length && !log.end) {
            isAsked = true;
            return undefined;
          }
          const frame = frameOf(log, at, maxBytes);
          at += frame.bytes.length;
          isOver = frame.end !== undefined;
          return frame;
        },
      };
    });
  }

  #log(id: string): Log {
    const log = this.logs.get(id);
    if (!log) throw new StoreError('NOT_FOUND', id);
    return log;
  }

  #do<T>(name: keyof StreamStore, id: string, act: () => T): Promise<T> {
    this.calls.push(`${name} ${id}`);
    if (!this.holds(name, id)) return Promise.resolve().then(act);
    return new Promise<T>((resolve, reject) => {
      const run = () => void Promise.resolve().then(act).then(resolve, reject);
      this.held.push({ name, id, run, fail: reject });
      this.#onHeld?.();
    });
  }
}

function checkFence(log: Log, fence: Fence | undefined): void {
  if (fence !== undefined && fence !== log.fence) throw new StoreError('FENCED', 'adopted');
}

function frameOf(log: Log, at: number, maxBytes: number): Frame {
  const bytes = log.bytes.subarray(at, at + maxBytes);
  const next = at + bytes.length;
  const upToDate = next === log.bytes.length;
  return { bytes, next: offsetOf(next), upToDate, ...(upToDate && log.end && { end: log.end }) };
}

function offsetOf(position: number): string {
  return String(position).padStart(16, '0');
}

function positionOf(offset: string): number {
  return offset === '-1' ? 0 : Number(offset);
}
