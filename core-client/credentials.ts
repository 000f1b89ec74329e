import { DurableStorageError } from './errors.ts';
import { digestText, randomId } from './fingerprint.ts';
import { keysOf, pageStorage } from './storage.ts';
import { streamIdOf } from './stream-handle.ts';
import type { MaybePromise, StorageLike } from './types.ts';

/** An entry that did not change for so long is swept: servers forget streams and keys sooner by default. */
const LIFETIME_MS = 7 * 24 * 3_600_000;

/** What is kept of one answer while it is unfinished. The signed URL is the one secret in it. */
export interface Credentials {
  readonly fingerprint: string;
  readonly idempotencyKey: string;
  /** There once the POST was answered. */
  readonly streamUrl?: string | undefined;
  readonly contentType?: string | undefined;
  /** Behind the last byte handed out. */
  readonly offset?: string | undefined;
}

/** What stands in the storage under one requestId. Without credentials: nothing is unfinished. */
interface Stored extends Partial<Credentials> {
  /** How many answers to the same request are over; the idempotency key of the next one depends on it. */
  readonly generation: number;
  /** Id of the stream before this answer's: it is over, or was given up. */
  readonly done?: string | undefined;
}

interface OpenOptions {
  readonly fingerprint: string;
  /** False: whatever is stored, this is a new answer. */
  readonly autoResume: boolean;
  /** The caller's own `Idempotency-Key`. */
  readonly key: string | undefined;
}

/** The credentials of one answer, in the hands of one call. */
export interface Entry {
  readonly credentials: Credentials;
  /** True when an earlier call left them. */
  readonly found: boolean;
  /** While an async storage is at work, changes gather. A later call's credentials are left alone. */
  save(change: Partial<Credentials>): MaybePromise<void>;
  /** The answer is over: the credentials go, and no tab that still reads it puts them back. */
  finish(done?: string): MaybePromise<void>;
}

/** Keeps the credentials of a client's answers. A storage that fails is replaced by memory, with a warning. */
export interface CredentialStore {
  /** Of the keys in the storage. Another scope has another. */
  readonly prefix: string;
  /**
   * Takes up what is stored for a request, or stores a new idempotency key for it.
   *
   * Two callers at once must come to one key. Where only this thread writes (memory, sessionStorage), reading
   * and writing are one step and the key is random. Between tabs (localStorage) and in async storages somebody
   * may come in between: there the key is a hash of the request and of how many answers to it are over, so
   * that whoever comes in between makes the same one; the count stays behind, and nothing else.
   * @param staleKey the key of an answer that turned out to be gone.
   */
  open(requestId: string, options: OpenOptions, staleKey?: string): Promise<Entry>;
  /** The unfinished answer of an id, whatever its request was, and the stream that is known not to be it. */
  find(requestId: string): Promise<{ readonly entry?: Entry; readonly done?: string | undefined }>;
  /**
   * Removes what is past its time in all scopes, if the storage lists its keys. What version 0.1 stored, which had no
   * scopes, is never read otherwise, because it does not say whose it is.
   * @param storagePrefix of the keys of all scopes.
   */
  sweep(storagePrefix: string): Promise<void>;
}

/**
 * @param prefix of this client's keys in the storage.
 * @param refused keeps what the storage refuses, for as long as the page lives.
 * @param isForgotten returns true once nothing may be stored any more.
 */
export function createCredentialStore(
  storage: StorageLike,
  prefix: string,
  refused: Map<string, string>,
  warn: (warning: Error) => void,
  isForgotten?: () => boolean | undefined,
): CredentialStore {
  const fail = (cause: unknown): undefined => {
    const message = 'The storage failed; memory is used';
    warn(new DurableStorageError('STORAGE_FAILED', message, { cause }));
  };

  /** At once where the storage answers at once. */
  function read(name: string): MaybePromise<Stored | undefined> {
    const parse = (text: string | null | undefined) => {
      if (text == null) return undefined;
      const [stored, expires] = JSON.parse(text) as [Stored, number];
      if (!(stored.generation >= 0) || (stored.idempotencyKey && !isUnfinished(stored)))
        throw new TypeError();
      if (expires > Date.now()) return stored;
      void write(name, undefined);
      return undefined;
    };
    return attempt(() => then(refused.get(name) ?? storage.getItem(name), parse), fail);
  }

  /** At once where the storage does it at once. */
  function write(name: string, stored: Stored | undefined): MaybePromise<unknown> {
    if (isForgotten?.()) return;
    const text = JSON.stringify([stored, Date.now() + LIFETIME_MS]);
    const isNews = !refused.delete(name);
    return attempt<unknown>(
      () => (stored ? storage.setItem(name, text) : storage.removeItem(name)),
      (cause) => {
        if (stored) refused.set(name, text);
        return isNews ? fail(cause) : undefined;
      },
    );
  }

  function entryOf(name: string, stored: Stored & Credentials, isShared: boolean, found: boolean): Entry {
    const { generation, idempotencyKey } = stored;
    let isDirty = false;
    let writing: MaybePromise<unknown>;
    /** Runs after what is under way, and only while the place is still this answer's. */
    const ifOurs = (run: () => unknown): MaybePromise<void> =>
      (writing = then(writing, () =>
        then(read(name), (current) => {
          if (current?.idempotencyKey === idempotencyKey) return run();
        }),
      )) as MaybePromise<void>;
    return {
      get credentials() {
        return stored;
      },
      found,
      save(change) {
        stored = { ...stored, ...change };
        if (isDirty) return writing as MaybePromise<void>;
        isDirty = true;
        return ifOurs(() => {
          isDirty = false;
          return write(name, stored);
        });
      },
      finish: (done) =>
        ifOurs(() => write(name, isShared ? { generation: generation + 1, done } : undefined)),
    };
  }

  const isShared = (reading: unknown) => isPromise(reading) || storage === pageStorage();

  return {
    prefix,
    async open(requestId, { fingerprint, autoResume, key }, staleKey) {
      const name = prefix + requestId;
      const reading = read(name);
      const shared = isShared(reading);
      const stored = isPromise(reading) ? await reading : reading;
      const known = stored?.fingerprint === fingerprint ? stored.idempotencyKey : undefined;
      if (autoResume && known !== undefined && known !== staleKey) {
        return entryOf(name, stored as Stored & Credentials, shared, true);
      }
      const generation = (stored?.generation ?? 0) + (known === undefined ? 0 : 1);
      const idempotencyKey =
        key ??
        (shared && autoResume
          ? await digestText(JSON.stringify([name, fingerprint, generation]))
          : randomId());
      const done = stored?.streamUrl ? streamIdOf(stored.streamUrl) : stored?.done;
      const fresh = { generation, fingerprint, idempotencyKey, done };
      const writing = write(name, fresh);
      if (isPromise(writing)) await writing;
      return entryOf(name, fresh, shared, false);
    },

    async find(requestId) {
      const name = prefix + requestId;
      const reading = read(name);
      const stored = await reading;
      if (!isUnfinished(stored)) return { done: stored?.done };
      return { entry: entryOf(name, stored, isShared(reading), true), done: stored.done };
    },

    async sweep(storagePrefix) {
      for (const name of (await attempt(() => keysOf(storage), fail)) ?? []) {
        if (name.startsWith(`${storagePrefix}:`) && name.includes(':answer:')) await read(name);
      }
    },
  };
}

function isUnfinished(stored: Stored | undefined): stored is Stored & Credentials {
  const { idempotencyKey = '', streamUrl = 'http:' } = stored ?? {};
  return /^[\x21-\x7e]+$/.test(idempotencyKey) && /^https?:/.test(streamUrl);
}

function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof (value as Promise<T> | undefined)?.then === 'function';
}

/** Goes on at once where there is nothing to wait for. */
function then<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return isPromise(value) ? value.then(next) : next(value);
}

/** What fails, either way, is told and gives undefined. */
function attempt<T>(
  run: () => MaybePromise<T>,
  fail: (cause: unknown) => undefined,
): MaybePromise<T | undefined> {
  try {
    const value = run();
    return isPromise(value) ? value.then((settled) => settled, fail) : value;
  } catch (cause) {
    return fail(cause);
  }
}
