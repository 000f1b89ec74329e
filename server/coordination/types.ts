import type { Logger } from '../shared/logger.ts';

/**
 * Coordinates the processes that share one store, apart from the bytes of streams. Each proxy has its own coordinator,
 * which represents one process.
 *
 * Keys, names and ids are text of `[A-Za-z0-9_-]`, 1 to 100 characters. Every method may reject with a `StoreError`
 * `UNAVAILABLE`; then it is unknown whether the operation was carried out. Each operation can be repeated.
 */
export interface Coordinator {
  /** Leases of processes, and messages between them. */
  readonly processes: Processes;
  /** Claims of idempotency keys. */
  readonly claims: ClaimTable;
  /** Streams by name. */
  readonly names: NameTable;
  /** Durable tasks. */
  readonly outbox: Outbox;
}

/** Options of a new coordinator. */
export interface CoordinatorOptions {
  /** Logger for failures that have no caller. */
  readonly logger: Logger;
  /** Seconds that claims and names are kept after their last use. */
  readonly ttlSeconds: number;
}

/** Streams whose process died before it disowned them. */
export interface Orphans {
  /** Id of the dead process. */
  readonly process: string;
  /** Ids of its open streams. */
  readonly streamIds: readonly string[];
}

/**
 * Leases of processes. A process is alive from `start` to `stop`, or until it has not renewed its lease for
 * `LEASE_SECONDS`. While this process cannot renew its own lease, and for one lease after, every other process counts
 * as alive: it could not renew its lease either.
 *
 * A process that was suspended for longer than its lease does not know yet that it counts as dead. Every write must
 * therefore be compared with a claim's token or with a stream's fence.
 */
export interface Processes {
  /** Id of this process, unique for each start. */
  readonly id: string;
  /**
   * Takes the lease, and calls `onMessage` for each message from then on.
   * @param onMessage receives the text of each message. Must not throw.
   */
  start(onMessage: (message: string) => void): Promise<void>;
  /** Releases the lease: other processes see at once that this one has ended. Never rejects. */
  stop(): Promise<void>;
  /**
   * Returns true if the lease of the process has not expired.
   * @param process id of the process.
   */
  isAlive(process: string): Promise<boolean>;
  /**
   * Sends a message of at most 1,000 characters, without line breaks. Messages of one sender arrive in order, at least
   * once, while the receiver is alive. A receiver ignores messages that it does not know.
   * @param process id of the receiver.
   * @param message text without line breaks.
   * @returns false if the process is dead. True does not mean that the receiver has handled the message: it may die
   *   first.
   */
  notify(process: string, message: string): Promise<boolean>;
  /**
   * Records that this process writes a stream, so that others find the stream after its death.
   * @param streamId id of the stream.
   */
  own(streamId: string): Promise<void>;
  /**
   * Removes a stream from those that this process writes.
   * @param streamId id of the stream.
   */
  disown(streamId: string): Promise<void>;
  /**
   * Returns the streams of dead processes, without changing anything. Several processes may receive the same list: each
   * stream goes to the one that adopts or closes it (`ByteStore.adopt` succeeds once).
   */
  orphans(): Promise<readonly Orphans[]>;
  /**
   * Removes streams of a dead process from its list, after they were adopted or closed.
   * @param orphans the dead process and the streams to remove.
   */
  forget(orphans: Orphans): Promise<void>;
}

/**
 * State of the create that holds a claim: `open` while it is in progress, `kept` once it has a stream, `freed` after
 * it failed or its stream was deleted, `aborted` after an abort by key.
 */
export type ClaimState = 'open' | 'kept' | 'freed' | 'aborted';

/** The holder of a key. */
export interface Claim {
  /** Fencing token: unique for each holder. The proxy uses the id of the stream that the holder creates. */
  readonly token: string;
  /** Process of the holder. */
  readonly process: string;
  /** Hash of the request. Empty if an abort made the claim and no request is known. */
  readonly fingerprint: string;
  /** State of the holder's create. */
  readonly state: ClaimState;
  /** Unix time of the abort in milliseconds. 0 unless `state` is `aborted`. */
  readonly abortedAt: number;
}

/**
 * Claims of keys. All operations on one key are ordered. An operation that names a token has no effect on any other holder,
 * so a process that acts on an outdated view changes nothing.
 */
export interface ClaimTable {
  /**
   * Takes the key if it is unknown, or if `instead` is still its holder, in the same state. Of several processes that
   * take it at the same time, one succeeds. A repetition with the same token changes nothing.
   * @param key the key to take.
   * @param claim the new holder. Its `token` must be new.
   * @param instead the holder to replace, as an earlier call returned it.
   * @returns the claim afterwards. The caller holds the key if the claim has the caller's token.
   */
  take(key: string, claim: Claim, instead?: Claim): Promise<Claim>;
  /**
   * Changes the state of a holder: `kept` if it is open, `freed` unless it is aborted, `aborted` always. Has no effect
   * if the key has another holder, or none.
   * @param key key of the claim.
   * @param token fencing token of the holder.
   * @param state new state of the claim.
   */
  mark(key: string, token: string, state: Exclude<ClaimState, 'open'>): Promise<void>;
  /**
   * Resolves when the holder or its state may differ from `seen`.
   * @param key key of the claim.
   * @param seen the claim as an earlier call returned it.
   * @param signal ends the wait.
   * @throws the signal's reason.
   */
  watch(key: string, seen: Claim, signal: AbortSignal): Promise<void>;
}

/** The state of a create under a name. `answered` and `failed` are final. */
export type NameState = 'accepted' | 'answered' | 'failed';

/** One create under a name. */
export interface NameEntry {
  /** Id of the stream. */
  readonly streamId: string;
  /** Id of the process that creates the stream. */
  readonly process: string;
  /** Result of the create so far. */
  readonly state: NameState;
}

/** Creates by name. At least the newest create of a name that did not fail is kept. */
export interface NameTable {
  /**
   * Adds an `accepted` create as the newest, or changes the state of one that was added. A create that was removed is
   * not added again. The change is durable once the promise resolves; every `get` that begins afterwards sees it, in
   * all processes.
   * @param name the name.
   * @param entry the create and its state. `streamId` identifies the create.
   */
  set(name: string, entry: NameEntry): Promise<void>;
  /**
   * Returns the newest create that did not fail, or undefined.
   * @param name the name.
   */
  get(name: string): Promise<NameEntry | undefined>;
  /**
   * Resolves when `get` may return something other than `seen`: a newer create, another state, an older create after
   * a failure. Need not resolve when a TTL ends.
   * @param name the name.
   * @param seen what `get` returned.
   * @param signal ends the wait.
   * @throws the signal's reason.
   */
  watch(name: string, seen: NameEntry | undefined, signal: AbortSignal): Promise<void>;
}

/** Work for any process on the store, even if the process that added it dies. */
export interface Task {
  /** Id of the task. A task with a known id is not added again. */
  readonly id: string;
  /** Content of the task, as text of at most 16,384 bytes. Readers ignore tasks of a form that they do not know. */
  readonly payload: string;
  /**
   * Milliseconds from now until the task is due. Before, no process takes it. A negative value puts the task before
   * other due tasks.
   */
  readonly delayMs: number;
}

/**
 * A task that this process has taken. All functions return false, without effect, if another process has taken it
 * since.
 */
export interface TakenTask {
  /** Id of the task. */
  readonly id: string;
  /** Content of the task. */
  readonly payload: string;
  /** Number of times that the task was taken, including this one. */
  readonly attempts: number;
  /** Keeps the task for another `TAKEN_MS`. */
  extend(): Promise<boolean>;
  /** Removes the task. */
  done(): Promise<boolean>;
  /**
   * Returns the task to the outbox.
   * @param delayMs milliseconds from now until the task is due.
   */
  retry(delayMs: number): Promise<boolean>;
  /**
   * Like `retry`, but this attempt does not count in `attempts`.
   * @param delayMs milliseconds from now until the task is due.
   */
  postpone(delayMs: number): Promise<boolean>;
}

/**
 * Tasks that outlive their process. A task is taken again until `done` is called for it. It is carried out at least
 * once, and by at most one process at a time if that process extends it in time. A process that was suspended for
 * longer than `TAKEN_MS` may still work on a task when another one takes it.
 *
 * Due times are on the clock of the store, if it has one. Otherwise they are on the clock of the process that adds or
 * returns the task: then a task is early or late by as much as the clocks of the processes differ.
 */
export interface Outbox {
  /**
   * Adds a task. The task is durable once the promise resolves. Has no effect if there is a task with this id.
   * @param task the task. Its `id` must be unique among all tasks.
   */
  add(task: Task): Promise<void>;
  /**
   * Takes the task that has been due longest, if there is one. This process has it for `TAKEN_MS`; after that it is due
   * again, for example because the process died.
   */
  take(): Promise<TakenTask | undefined>;
}
