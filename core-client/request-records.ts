import { digestText, randomId } from './fingerprint.ts';
import { chain, inOrder, isPromise, type Pending } from './in-order.ts';
import { pageStorage } from './storage.ts';
import { failed, pack, unpack } from './stored.ts';
import { streamIdOf } from './stream-handle.ts';
import type { MaybePromise, StorageLike } from './types.ts';

/** What is stored of a request while its answer is unfinished. The signed URL is the only secret in it. */
export interface RequestRecord {
  readonly fingerprint: string;
  readonly idempotencyKey: string;
  /** Set once the proxy has responded to the create. */
  readonly streamUrl?: string | undefined;
  readonly contentType?: string | undefined;
  /** Offset just past the last byte that the app read. */
  readonly offset?: string | undefined;
}

/** The JSON in the storage under one `requestId`. Without the fields of a record, no answer is unfinished. */
interface Stored extends Partial<RequestRecord> {
  /** Number of finished answers to the same request. The next idempotency key depends on it. */
  readonly generation: number;
  /** Id of the previous stream under this `requestId`, which is finished or was given up. */
  readonly done?: string | undefined;
}

interface OpenOptions {
  readonly fingerprint: string;
  /** False: always a new answer. */
  readonly autoResume: boolean;
  /** The caller's own `Idempotency-Key`. */
  readonly key: string | undefined;
}

/** One call's access to the record of its request. */
export interface RecordHandle {
  /** Key in the storage. */
  readonly name: string;
  readonly data: RequestRecord;
  /** True if an earlier call stored the record. */
  readonly found: boolean;
  /** Stores a change. Changes are combined while an async storage is busy. Does not touch the record of a later call. */
  save(change: Partial<RequestRecord>): MaybePromise<void>;
  /**
   * Removes the record, because the answer is over. Other tabs that still read the answer do not store it again.
   * @param done id of its stream.
   */
  finish(done?: string): MaybePromise<void>;
}

/** Stores the records of a client's unfinished answers. If the storage fails, memory replaces it, with a warning. */
export interface RecordStore {
  /** Prefix of the keys in the storage. Each scope has its own. */
  readonly prefix: string;
  /**
   * Returns the record of a request, or stores a new one with a new idempotency key.
   *
   * Two callers at once must get one key. If only this thread writes (memory, `sessionStorage`), reading and writing
   * are one step, and the key is random. Between tabs (`localStorage`) and in async storages another caller can write
   * in between. There the key is a hash of the request and the number of its finished answers, so that all callers
   * compute the same one. Only that number stays in the storage.
   * @param staleKey the key of an answer whose stream no longer exists.
   */
  open(requestId: string, options: OpenOptions, staleKey?: string): Promise<RecordHandle>;
  /**
   * Returns the record of the unfinished answer of an id, whatever its request was.
   * @returns also the id of the stream that is known to be finished (`done`).
   */
  find(requestId: string): Promise<{ readonly record?: RecordHandle; readonly done?: string | undefined }>;
}

/** What the record stores of one client share, by the key in the storage. */
export interface RecordMemory {
  /** Values that the storage refused. They are kept until the page closes. */
  readonly refused: Map<string, string>;
  readonly pending: Pending;
}

/** Dependencies of a record store. */
export interface RecordStoreOptions {
  readonly storage: StorageLike;
  /** Prefix of the keys in the storage. */
  readonly prefix: string;
  readonly memory: RecordMemory;
  readonly warn: (warning: Error) => void;
  /** Returns true once nothing may be stored. */
  readonly isReleased?: () => boolean | undefined;
}

/** Creates the store of a client's records. */
export function createRecordStore({
  storage,
  prefix,
  memory: { refused, pending },
  warn,
  isReleased,
}: RecordStoreOptions): RecordStore {
  const fail = (cause: unknown) => warn(failed('The storage failed; memory is used', cause));

  /** Synchronous if the storage is. */
  function read(name: string): MaybePromise<Stored | undefined> {
    const parse = (text: string | null) => {
      if (text == null) return undefined;
      const stored = unpack(text) as Stored | undefined;
      if (
        stored !== undefined &&
        !(stored.generation >= 0 && (!stored.idempotencyKey || isUnfinished(stored)))
      )
        throw new TypeError();
      return stored;
    };
    return attempt(() => chain(refused.get(name) ?? storage.getItem(name), parse), fail);
  }

  /** Stores a value, or removes it if there is none. Synchronous if the storage is. */
  function write(name: string, stored?: Stored): MaybePromise<unknown> {
    if (isReleased?.()) return;
    const text = pack(stored);
    const wasRefused = refused.delete(name);
    return attempt<unknown>(
      () => (stored ? storage.setItem(name, text) : storage.removeItem(name)),
      (cause) => {
        if (stored) refused.set(name, text);
        if (!wasRefused) fail(cause);
      },
    );
  }

  function handleOf(
    name: string,
    record: Stored & RequestRecord,
    isShared: boolean,
    found: boolean,
  ): RecordHandle {
    const { generation, idempotencyKey } = record;
    let isDirty = false;
    let saving: MaybePromise<void>;
    /** Runs an operation if the storage still has this answer's record. */
    const ifOurs = (run: () => unknown) =>
      inOrder(pending, name, () =>
        chain(read(name), (current) => {
          if (current?.idempotencyKey === idempotencyKey) return run();
        }),
      ) as MaybePromise<void>;
    return {
      name,
      get data() {
        return record;
      },
      found,
      save(change) {
        record = { ...record, ...change };
        if (isDirty) return saving;
        isDirty = true;
        return (saving = ifOurs(() => {
          isDirty = false;
          return write(name, record);
        }));
      },
      finish: (done) =>
        ifOurs(() => write(name, isShared ? { generation: generation + 1, done } : undefined)),
    };
  }

  const isShared = (reading: unknown) => isPromise(reading) || storage === pageStorage();

  async function open(
    name: string,
    { fingerprint, autoResume, key }: OpenOptions,
    staleKey?: string,
  ): Promise<RecordHandle> {
    const reading = read(name);
    const shared = isShared(reading);
    const stored = isPromise(reading) ? await reading : reading;
    const known = stored?.fingerprint === fingerprint ? stored.idempotencyKey : undefined;
    if (autoResume && known !== undefined && known !== staleKey) {
      return handleOf(name, stored as Stored & RequestRecord, shared, true);
    }
    const generation = (stored?.generation ?? 0) + (known === undefined ? 0 : 1);
    const idempotencyKey =
      key ??
      (shared && autoResume ? await digestText(JSON.stringify([name, fingerprint, generation])) : randomId());
    const done = stored?.streamUrl ? streamIdOf(stored.streamUrl) : stored?.done;
    const fresh = { generation, fingerprint, idempotencyKey, done };
    const writing = write(name, fresh);
    if (isPromise(writing)) await writing;
    return handleOf(name, fresh, shared, false);
  }

  return {
    prefix,
    async open(requestId, options, staleKey) {
      const name = prefix + requestId;
      return inOrder(pending, name, () => open(name, options, staleKey));
    },

    async find(requestId) {
      const name = prefix + requestId;
      const reading = read(name);
      const stored = await reading;
      const done = stored?.done;
      return isUnfinished(stored)
        ? { record: handleOf(name, stored, isShared(reading), true), done }
        : { done };
    },
  };
}

function isUnfinished(stored: Stored | undefined): stored is Stored & RequestRecord {
  const { idempotencyKey = '', streamUrl = 'http:' } = stored ?? {};
  return /^[\x21-\x7e]+$/.test(idempotencyKey) && /^https?:/.test(streamUrl);
}

/** Runs an operation. An exception or a rejection goes to `fail`, and the result is undefined. */
function attempt<T>(run: () => MaybePromise<T>, fail: (cause: unknown) => void): MaybePromise<T | undefined> {
  const onError = (cause: unknown) => void fail(cause);
  try {
    const value = run();
    return isPromise(value) ? value.catch(onError as () => undefined) : value;
  } catch (cause) {
    onError(cause);
    return undefined;
  }
}
